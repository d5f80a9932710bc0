import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** SHA-256 over the inputs of a generated folder: paths below `root`, and whatever else decides what comes out. */
export function digestOf(root, paths, ...others) {
  const hash = createHash("sha256").update(JSON.stringify(others));
  for (const path of paths) hash.update(path).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

/**
 * Makes the folder `out` anew when its inputs changed; returns whether it did. It is made beside the target and then renamed: whoever
 * imports the code meanwhile finds the old or the new, never half of it.
 */
export function freshFolder(out, digest, make) {
  const stamp = join(out, ".stamp");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === digest && !process.argv.includes("--force"))
    return false;
  const fresh = `${out}.new-${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  try {
    make(fresh);
    writeFileSync(join(fresh, ".stamp"), digest);
    const old = `${out}.old-${process.pid}`;
    if (existsSync(out)) renameSync(out, old);
    renameSync(fresh, out);
    rmSync(old, { recursive: true, force: true });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return true;
}
