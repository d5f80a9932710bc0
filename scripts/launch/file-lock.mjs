import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const BEAT_MS = 2_000;
// A holder that has not touched its lock for this long is gone, whatever its process id says: it may be of another host or container,
// or given to another process since.
const SILENT_MS = 300_000;
const BREAKING_MS = 10_000;

function create(path) {
  try {
    writeFileSync(path, holders([process.pid]), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code === "EEXIST") return false;
    throw error;
  }
}

const holders = (pids) => JSON.stringify({ pids, host: hostname() });

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function isStale(path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > SILENT_MS) return true;
    const holder = JSON.parse(readFileSync(path, "utf8"));
    return holder.host === hostname() && !holder.pids.some(alive);
  } catch {
    // Gone meanwhile, or just created and still empty: neither is stale, the next round sees.
    return false;
  }
}

/** Removes a dead holder's lock. Only one process at a time may do so, or it could remove its neighbour's fresh lock. */
function breakStale(path) {
  const breaking = `${path}.breaking`;
  if (!create(breaking)) {
    try {
      if (Date.now() - statSync(breaking).mtimeMs > BREAKING_MS) rmSync(breaking, { force: true });
    } catch {
      // Somebody else finished breaking it.
    }
    return;
  }
  try {
    if (isStale(path)) rmSync(path, { force: true });
  } finally {
    rmSync(breaking, { force: true });
  }
}

/**
 * Runs `work` while holding the lock file at `path`; other processes wait. A lock left by a killed process is taken over.
 * `work` gets a function to name a process it has started: should this process be killed, the lock stays until that one ends too.
 * Where the folder cannot be written (a read-only image) there is nothing to protect, and `work` simply runs.
 */
export async function withLock(path, work, onWait = () => {}) {
  try {
    mkdirSync(dirname(path), { recursive: true });
    for (let round = 0; !create(path); round++) {
      if (round === 10) onWait();
      if (isStale(path)) breakStale(path);
      await sleep(100);
    }
  } catch (error) {
    if (error.code === "EROFS" || error.code === "EACCES" || error.code === "EPERM") return work(() => {});
    throw error;
  }
  const beat = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // Without a beat the lock only looks older than it is.
    }
  }, BEAT_MS);
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  try {
    return await work((pid) => writeFileSync(path, holders([process.pid, pid])));
  } finally {
    clearInterval(beat);
    process.removeListener("exit", release);
    release();
  }
}
