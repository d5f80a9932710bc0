import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

const ENDINGS = ["", ".ts", ".mjs", ".js", "/index.ts", "/index.js"];

function real(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * Whether the module with this `import.meta.url` is the one Node was started with. `import.meta.main` exists only from
 * Node 24.2; this works on every version, follows symlinks (npm's `bin` entries are links), and is false in worker threads.
 */
export function isMain(importMetaUrl: string): boolean {
  const started = process.argv[1];
  if (!isMainThread || started === undefined || !importMetaUrl.startsWith("file:")) return false;
  const self = real(fileURLToPath(importMetaUrl));
  return self !== undefined && ENDINGS.some((ending) => real(started + ending) === self);
}
