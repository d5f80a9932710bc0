import { randomBytes } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { copyFile, type FileHandle, link, lstat, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { ObjectStoreError } from "./errors.ts";
import { errorCode } from "./file-errors.ts";
import { sourceChanged } from "./source-changed.ts";

const TEMP_NAME = /^\.cytomesh-put-[0-9a-f]{24}\.tmp$/;
/** A write that has not touched its temporary file for this long is dead. */
const TEMP_MAX_AGE_MS = 24 * 60 * 60 * 1000;

/** Names that the atomic writer uses while it works; listings leave them out. */
export function isTempName(name: string): boolean {
  return TEMP_NAME.test(name);
}

export interface AtomicWriteOptions {
  /** Fail with `object-exists` rather than replace. */
  ifAbsent: boolean;
  /** For error messages. */
  uri: string;
}

/** What a local file holds, and how long it was when it was looked at. */
export interface FileCopy {
  copyOf: string;
  size: number;
  /** A further name of the file will do, where the file system gives it one. */
  handOver: boolean;
}

/**
 * Writes a file so that its name shows either nothing (or what was there before) or all of the new content, also
 * after a crash: temporary file in the same folder, fsync, rename (or hard link, which fails when the name is taken),
 * fsync of the folder. Returns the file's stats. Throws what `node:fs` throws, and `object-exists`.
 */
export async function writeFileAtomically(
  path: string,
  content: Iterable<Uint8Array> | AsyncIterable<Uint8Array> | FileCopy,
  options: AtomicWriteOptions,
): Promise<BigIntStats> {
  const folder = dirname(path);
  const temp = join(folder, `.cytomesh-put-${randomBytes(12).toString("hex")}.tmp`);
  let stats: BigIntStats;
  let moved = false;
  try {
    const taken = "copyOf" in content && content.handOver && (await linkFile(content.copyOf, temp));
    const handle = taken ? await open(temp, "r+") : await openNew(temp);
    try {
      if ("copyOf" in content) await (taken ? checkSize(handle, content) : copyInto(handle, temp, content));
      else for await (const chunk of content) await handle.writeFile(chunk);
      await handle.sync();
      stats = await handle.stat({ bigint: true });
    } finally {
      await handle.close();
    }
    if (options.ifAbsent) await linkNew(temp, path, stats, options.uri);
    else {
      await rename(temp, path);
      moved = true;
    }
  } finally {
    if (!moved) await rm(temp, { force: true });
  }
  await syncFolder(folder);
  return stats;
}

/** By the kernel. It also copies the mode, which is not the source's to give. */
async function copyInto(handle: FileHandle, path: string, content: FileCopy): Promise<void> {
  const { mode } = await handle.stat();
  await copyFile(content.copyOf, path);
  await handle.chmod(mode & 0o777);
  await checkSize(handle, content);
}

async function checkSize(handle: FileHandle, { copyOf, size }: FileCopy): Promise<void> {
  const found = (await handle.stat()).size;
  if (found !== size) throw sourceChanged(pathToFileURL(copyOf).href, size, found);
}

/** Whether `temp` is now a name of the file. It cannot be across file systems, and need not be of what is no plain file. */
async function linkFile(path: string, temp: string): Promise<boolean> {
  if (!(await lstat(path)).isFile()) return false;
  try {
    await inFolder(dirname(temp), () => link(path, temp));
    return true;
  } catch {
    return false;
  }
}

function openNew(path: string): Promise<FileHandle> {
  return inFolder(dirname(path), () => open(path, "wx", 0o666));
}

/** The folder is made where it is missing: most writes go where others went before. */
async function inFolder<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    await makeFolder(folder);
    return write();
  }
}

async function linkNew(temp: string, path: string, stats: BigIntStats, uri: string): Promise<void> {
  try {
    await link(temp, path);
  } catch (cause) {
    const code = errorCode(cause);
    if (code === "ENOSYS" || code === "ENOTSUP" || code === "EOPNOTSUPP" || code === "EPERM") {
      const message = `Creating ${uri} only if absent needs hard links, which this file system refuses (${code}).`;
      throw new ObjectStoreError("unsupported", message, { uri, cause });
    }
    if (code !== "EEXIST") throw cause;
    const there = await lstat(path, { bigint: true }).catch(() => undefined);
    // NFS repeats a link request whose answer got lost, and then reports our own link as EEXIST.
    if (there !== undefined && there.ino === stats.ino && there.dev === stats.dev) return;
    if (there?.isDirectory()) throw cause;
    throw new ObjectStoreError("object-exists", `There is already an object at ${uri}.`, { uri, cause });
  }
}

/** `mkdir -p`, with every new entry made durable. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true });
  if (first === undefined) return;
  for (let at = folder; ; at = dirname(at)) {
    await syncFolder(dirname(at));
    if (at === first || at === dirname(at)) return;
  }
}

/** By folder: a sync that has not begun, for everybody who renamed before it does. */
const waiting = new Map<string, Promise<void>>();
const running = new Map<string, Promise<void>>();

/** Makes renames, links and removals in a folder durable, where the file system can. Callers at the same time share a sync. */
export function syncFolder(folder: string): Promise<void> {
  const shared = waiting.get(folder);
  if (shared !== undefined) return shared;
  const before = running.get(folder);
  // One that runs may have begun before our rename: the next one counts.
  const next = (before?.catch(() => undefined) ?? Promise.resolve()).then(() => {
    waiting.delete(folder);
    const sync = syncNow(folder).finally(() => {
      if (running.get(folder) === sync) running.delete(folder);
    });
    running.set(folder, sync);
    return sync;
  });
  waiting.set(folder, next);
  return next;
}

async function syncNow(folder: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(folder, "r");
  } catch (error) {
    if (errorCode(error) === "EACCES") return; // writable but not readable: nothing to sync through
    throw error;
  }
  try {
    await handle.sync();
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (!["EINVAL", "ENOTSUP", "EOPNOTSUPP", "EISDIR"].includes(code)) throw error;
  } finally {
    await handle.close();
  }
}

/** Removes the temporary files of writers that were killed long ago. Never fails: it is housekeeping. */
export async function sweepTemps(folder: string, now: number = Date.now()): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isTempName)) {
    const path = join(folder, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats !== undefined && now - stats.mtimeMs > TEMP_MAX_AGE_MS)
      await rm(path, { force: true }).catch(() => {});
  }
}
