import { randomBytes } from "node:crypto";
import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { ApiError } from "../../errors.ts";

const POLL_MS = 50;

/** Whether a process of this id runs (another user's too). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Runs `work` while holding the lock file `path`, which holds the owner's process id. A lock whose owner is gone is taken
 * over. Throws `database_setup` after `timeoutMs` of waiting.
 */
export async function withFileLock<T>(path: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (!(await tryLock(path))) {
    if (Date.now() > deadline) {
      const owner = await readFile(path, "utf8").catch(() => "unknown");
      throw new ApiError(
        "database_setup",
        `process ${owner.trim()} has held ${path} for ${timeoutMs} ms; stop it, or delete the file if it is not part of Cytomesh`,
      );
    }
    await delay(POLL_MS);
  }
  try {
    return await work();
  } finally {
    await unlink(path).catch(() => {});
  }
}

async function tryLock(path: string): Promise<boolean> {
  const mark = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`;
  await writeFile(mark, `${process.pid}\n`);
  try {
    // link() is atomic and the file is never seen empty.
    await link(mark, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    await clearStale(path);
    return false;
  } finally {
    await unlink(mark).catch(() => {});
  }
}

async function clearStale(path: string): Promise<void> {
  const owner = Number(await readFile(path, "utf8").catch(() => ""));
  if (owner === 0 || isAlive(owner)) return;
  const aside = `${path}.stale.${process.pid}.${randomBytes(4).toString("hex")}`;
  try {
    await rename(path, aside);
    // Somebody else may have cleared it and locked between the read and the rename: put that lock back.
    const moved = Number(await readFile(aside, "utf8"));
    if (moved !== owner) await link(aside, path).catch(() => {});
    await unlink(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
