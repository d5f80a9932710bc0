import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { errorCode } from "./file-errors.ts";
import { parseUri, toUri } from "./uri.ts";

/** Says whether an absolute path, symlinks resolved, lies in one of the roots. No roots given: everything does. */
export function rootGuard(roots: readonly string[] | undefined): (path: string) => boolean {
  if (roots === undefined) return () => true;
  const rootPaths = roots.map((root) => resolve(parseUri(toUri(root)).key));
  return (path) => {
    const real = realPathOf(resolve(path));
    return rootPaths.some((root) => {
      // Resolved each time: a root may be made, or be a link that is moved, after the store was created.
      const realRoot = realPathOf(root);
      return real === realRoot || real.startsWith(realRoot.endsWith(sep) ? realRoot : realRoot + sep);
    });
  };
}

/** The real path of the deepest part that exists, with the rest as it is. Throws what `realpath` throws otherwise. */
function realPathOf(path: string): string {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      return join(realpathSync(at), ...missing);
    } catch (error) {
      const code = errorCode(error);
      if ((code !== "ENOENT" && code !== "ENOTDIR") || at === dirname(at)) throw error;
      missing.unshift(basename(at));
    }
  }
}
