import { type BigIntStats, constants } from "node:fs";
import { open, readdir, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Backend, BackendPut, Location } from "./backend.ts";
import { ObjectStoreError } from "./errors.ts";
import { isTempName, sweepTemps, syncFolder, writeFileAtomically } from "./file-atomic.ts";
import { errorCode, mapFsError } from "./file-errors.ts";
import { newRoom, tooLarge, wrongLength } from "./read.ts";
import type { ByteRange, ObjectInfo } from "./types.ts";

/** Fewer, larger reads: about half of the time of the 64 KiB default on big files. */
const READ_BYTES = 1024 * 1024;

/** Of a whole file at once: between pieces a call can be cancelled. */
const PIECE_BYTES = 16 * 1024 * 1024;

export interface FileBackend extends Backend {
  /** Stores a local file; `size` is what it should have. */
  putFile(
    at: Location,
    localPath: string,
    options: BackendPut & { size: number; handOver: boolean },
  ): Promise<ObjectInfo>;
}

/** `allowed` says whether a path lies in the folders this process may use. */
export function createFileBackend(allowed: (path: string) => boolean): FileBackend {
  const swept = new Set<string>();
  async function write(
    at: Location,
    content: Parameters<typeof writeFileAtomically>[1],
    { ifAbsent }: BackendPut,
  ): Promise<ObjectInfo> {
    const stats = await writeFileAtomically(at.key, content, { ifAbsent, uri: at.uri });
    const folder = dirname(at.key);
    if (!swept.has(folder)) {
      swept.add(folder);
      await sweepTemps(folder);
    }
    return infoOf(at.uri, stats);
  }
  return {
    check(at) {
      if (isTempName(basename(at.key))) {
        const message = `${at.uri} has a name that is reserved for unfinished writes.`;
        throw new ObjectStoreError("invalid-uri", message, { uri: at.uri });
      }
      if (!allowed(at.key)) throw outsideRoots(at.uri);
    },

    async head(at) {
      const stats = await statFile(at.key);
      return stats === undefined ? undefined : infoOf(at.uri, stats);
    },

    async open(at, range) {
      // Non-blocking, or a named pipe without a writer would hold the call for ever.
      const handle = await open(at.key, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stats = await handle.stat();
        if (!stats.isFile()) throw notFound(at.uri);
        const { start, end } = clampRange(range, stats.size, at.uri);
        const options = { start, end: end - 1, highWaterMark: READ_BYTES, autoClose: true };
        if (end > start) return { source: handle.createReadStream(options), length: end - start };
        // `end` is inclusive there, so an empty file has no way to say so.
        return { source: handle.createReadStream({ autoClose: true }), length: 0 };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },

    async read(at, { range, maxBytes, signal, room = newRoom }) {
      await using handle = await open(at.key, constants.O_RDONLY | constants.O_NONBLOCK);
      const stats = await handle.stat();
      if (!stats.isFile()) throw notFound(at.uri);
      const { start, end } = clampRange(range, stats.size, at.uri);
      const length = end - start;
      if (length > maxBytes) throw tooLarge(at.uri, maxBytes, length);
      const bytes = room(length);
      for (let seen = 0; seen < length; ) {
        signal?.throwIfAborted();
        const piece = Math.min(length - seen, PIECE_BYTES);
        const { bytesRead } = await handle.read(bytes, seen, piece, start + seen);
        if (bytesRead === 0) throw wrongLength(at.uri, seen, length);
        seen += bytesRead;
      }
      return bytes;
    },

    put: (at, source, o) => write(at, source.kind === "bytes" ? [source.bytes] : source.chunks, o),

    putFile: (at, localPath, { size, handOver, ...o }) => write(at, { copyOf: localPath, size, handOver }, o),

    async *list(at, signal) {
      const slash = at.key.lastIndexOf("/");
      const folder = at.key.slice(0, slash + 1);
      if (allowed(folder)) yield* walk(folder, at.key.slice(slash + 1), allowed, signal);
      // The prefix names a root without its final slash: its parent is out of bounds, the root is not.
      else if (allowed(at.key)) yield* walk(`${at.key}/`, "", allowed, signal);
      else throw outsideRoots(at.uri);
    },

    async delete(at) {
      if ((await statFile(at.key)) === undefined) return;
      try {
        await unlink(at.key);
        await syncFolder(dirname(at.key));
      } catch (error) {
        if (errorCode(error) !== "ENOENT") throw error;
      }
    },

    mapError: mapFsError,
    async close() {},
  };
}

async function* walk(
  folder: string,
  startOfName: string,
  allowed: (path: string) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  signal?.throwIfAborted();
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return [];
    throw error;
  });
  const found = entries
    .filter(({ name }) => name.startsWith(startOfName) && !isTempName(name))
    .map((entry) => {
      const path = join(folder, entry.name);
      // With its slash a folder sorts among files as its contents' URIs do.
      return { entry, path, uri: `${pathToFileURL(path).href}${entry.isDirectory() ? "/" : ""}` };
    })
    .sort((a, b) => (a.uri < b.uri ? -1 : 1));
  for (const { entry, path, uri } of found) {
    signal?.throwIfAborted();
    if (entry.isDirectory()) yield* walk(path, "", allowed, signal);
    else if (entry.isFile() || (entry.isSymbolicLink() && allowed(path))) {
      const stats = await statFile(path);
      if (stats !== undefined) yield infoOf(uri, stats);
    }
  }
}

async function statFile(path: string): Promise<BigIntStats | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stats : undefined;
  } catch (error) {
    if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
    throw error;
  }
}

function infoOf(uri: string, stats: BigIntStats): ObjectInfo {
  const etag = [stats.ino, stats.size, stats.mtimeNs].map((part) => part.toString(36)).join("-");
  return { uri, size: Number(stats.size), etag, lastModified: stats.mtime };
}

function clampRange(range: ByteRange | undefined, size: number, uri: string): ByteRange {
  if (range === undefined) return { start: 0, end: size };
  if (range.start >= size) throw pastTheEnd(uri, range, size);
  return { start: range.start, end: Math.min(range.end, size) };
}

export function pastTheEnd(
  uri: string,
  range: ByteRange,
  size: number | undefined,
  cause?: unknown,
): ObjectStoreError {
  const has = size === undefined ? "fewer bytes" : `${size} bytes`;
  const message = `Asked for bytes [${range.start}, ${range.end}) of ${uri}, which has ${has}.`;
  return new ObjectStoreError("invalid-range", message, { uri, cause });
}

function notFound(uri: string): ObjectStoreError {
  return new ObjectStoreError("object-not-found", `There is no file at ${uri}.`, { uri });
}

function outsideRoots(uri: string): ObjectStoreError {
  const message = `${uri} is outside the folders that this process may use; add its folder to the allowed file roots.`;
  return new ObjectStoreError("permission-denied", message, { uri });
}
