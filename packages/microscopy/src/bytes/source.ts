import { readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ObjectStore } from "@cytomesh/object-store";
import { MicroscopyError } from "../errors.ts";
import type { ByteSource } from "../types.ts";

/** Opens the files that an image consists of. */
export type SourceOpener = (uri: string, signal: AbortSignal | undefined) => Promise<ByteSource>;

/** Bytes in memory. */
export function bytesSource(bytes: Uint8Array<ArrayBuffer>, uri: string): ByteSource {
  return {
    uri,
    size: bytes.length,
    remote: false,
    async read(start, end, _signal, into) {
      if (into === undefined) return bytes.slice(start, end);
      into.set(bytes.subarray(start, end));
      return into;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** A local file, read in place. @throws MicroscopyError `not-found`, `permission-denied`, `read-failed`. */
export async function fileSource(path: string, uri: string): Promise<ByteSource> {
  let handle: FileHandle;
  let size: number;
  try {
    handle = await open(path, "r");
  } catch (error) {
    throw fromSystemError(error, uri);
  }
  try {
    const stat = await handle.stat();
    if (!stat.isFile())
      throw new MicroscopyError("not-found", `${uri}: expected a file, found a folder or device`);
    size = stat.size;
  } catch (error) {
    await handle.close();
    throw error instanceof MicroscopyError ? error : fromSystemError(error, uri);
  }
  return {
    uri,
    size,
    remote: false,
    async read(start, end, signal, into) {
      signal?.throwIfAborted();
      const bytes = into ?? new Uint8Array(end - start);
      let filled = 0;
      while (filled < bytes.length) {
        const bytesRead = await readSome(handle, bytes, filled, start + filled).catch((error: unknown) => {
          throw fromSystemError(error, uri);
        });
        if (bytesRead === 0)
          throw new MicroscopyError(
            "truncated",
            `${uri}: became shorter while it was read, ${size} bytes before`,
          );
        filled += bytesRead;
      }
      return bytes;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Up to here a thread pool costs more than it saves: directories and tags. */
const SYNC_BYTES = 16 * 1024;

async function readSome(
  handle: FileHandle,
  bytes: Uint8Array<ArrayBuffer>,
  filled: number,
  position: number,
): Promise<number> {
  const length = bytes.length - filled;
  if (length <= SYNC_BYTES) return readSync(handle.fd, bytes, filled, length, position);
  return (await handle.read(bytes, filled, length, position)).bytesRead;
}

/** An object of a store: in place where it is a local file, by range requests otherwise. */
export async function storeSource(
  store: ObjectStore,
  uri: string,
  signal: AbortSignal | undefined,
): Promise<ByteSource> {
  const path = store.localPath(uri);
  if (path !== undefined) return fileSource(path, uri);
  const head = await store.head(uri, { signal });
  if (head === undefined) throw new MicroscopyError("not-found", `${uri}: no such object`);
  const { size } = head;
  return {
    uri,
    size,
    remote: true,
    async read(start, end, during) {
      const bytes = await store.get(uri, { range: { start, end }, signal: during });
      if (bytes.length !== end - start)
        throw new MicroscopyError(
          "truncated",
          `${uri}: expected ${end - start} bytes at ${start}, got ${bytes.length}; was the object replaced?`,
        );
      return bytes as Uint8Array<ArrayBuffer>;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Opens by a store, or without one: local paths and `file://`. */
export function sourceOpener(store: ObjectStore | undefined): SourceOpener {
  if (store !== undefined) return (uri, signal) => storeSource(store, uri, signal);
  return (uri) => {
    if (uri.startsWith("file://")) return fileSource(fileURLToPath(uri), uri);
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(uri))
      throw new MicroscopyError(
        "invalid-argument",
        `${uri}: needs a store to be read from; give one to openImage`,
      );
    return fileSource(uri, uri);
  };
}

function fromSystemError(error: unknown, uri: string): MicroscopyError {
  const code = (error as { code?: string }).code;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new MicroscopyError("not-found", `${uri}: no such file`, { cause: error });
  if (code === "EACCES" || code === "EPERM")
    return new MicroscopyError("permission-denied", `${uri}: not allowed to read it (${code})`, {
      cause: error,
    });
  return new MicroscopyError("read-failed", `${uri}: cannot be read (${code ?? "unknown"})`, {
    cause: error,
  });
}
