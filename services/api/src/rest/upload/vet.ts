import { basename } from "node:path";
import { runIsolated } from "@cytomesh/anndata";
import { EdgeError } from "../../edge/errors.ts";
import { totalsColumn } from "./totals.ts";

/** Problems that do not matter here: names may repeat, and a name may be empty. */
const harmless = new Set(["duplicate_obs_name", "duplicate_var_name", "empty_name"]);

/** The parts of a file that are read; whatever is wrong elsewhere is never looked at again. */
const partsRead = /^(X|X\/.*|obs|var)$/;

/**
 * Look through an upload in a thread of its own, which is ended when the file keeps it busy for too long. What passes can be read by
 * the shared threads.
 *
 * @throws EdgeError `bad-upload` everything wrong with the parts that will be read
 * @throws AnnDataError not an AnnData file, damaged, too large, or hostile
 */
export async function vetUpload(
  path: string,
  o: { timeoutMs: number; maxBytes: number; signal: AbortSignal },
): Promise<void> {
  const report = await runIsolated(path, "validate", { ...o, profile: "minimal" });
  const wrong = report.problems.filter(({ code, severity, where }) => {
    if (severity === "warning" || harmless.has(code)) return false;
    if (code === "no_cells") return false;
    return partsRead.test(where) || where === `obs/${totalsColumn}` || isIndex(where, report);
  });
  if (wrong.length === 0) return;
  throw new EdgeError("bad-upload", wrong.map(({ where, message }) => `${where}: ${message}`).join("; "), {
    violations: wrong.map(({ where, message }) => ({ field: where, description: message })),
  });
}

/** Problems of obs and var are named after the index or a column; columns other than the totals are not read. */
function isIndex(where: string, report: { obsColumns: string[]; varColumns: string[] }): boolean {
  const [frame, ...rest] = where.split("/");
  const name = rest.join("/");
  if (frame === "obs") return !report.obsColumns.includes(name);
  if (frame === "var") return !report.varColumns.includes(name);
  return false;
}

/** A message about an upload without the path of its temporary copy. */
export function withoutPath(message: string, path: string): string {
  return message.replaceAll(path, "the uploaded file").replaceAll(basename(path), "the uploaded file");
}
