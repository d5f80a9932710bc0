import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where a mesh keeps its state: the option, `CYTOMESH_DATA_DIR`, else `~/.cytomesh`. */
export function resolveDataDir(option: string | undefined): string {
  const chosen = option ?? process.env.CYTOMESH_DATA_DIR;
  return chosen === undefined || chosen === ""
    ? join(homedir(), ".cytomesh")
    : resolve(chosen.replace(/^~(?=$|\/)/, homedir()));
}
