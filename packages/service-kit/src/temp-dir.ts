import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Who works on a folder adds to it, or takes from it, more often than that. */
const abandonedAfterMs = 7 * 24 * 60 * 60 * 1000;

/**
 * Makes the folder that a service works in, and clears away what killed processes left there. Others may be at work in it: only what nobody
 * has touched for a week goes.
 */
export async function openTempDir(path: string, now = Date.now()): Promise<void> {
  await mkdir(path, { recursive: true });
  for (const name of await readdir(path)) {
    const entry = join(path, name);
    const stats = await lstat(entry).catch(() => undefined);
    // Housekeeping: what cannot be removed stays.
    if (stats !== undefined && now - stats.mtimeMs > abandonedAfterMs)
      await rm(entry, { recursive: true, force: true }).catch(() => undefined);
  }
}
