import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { pathToFileURL } from "node:url";
import { ObjectStoreError } from "./errors.ts";
import { writeFileAtomically } from "./file-atomic.ts";
import { mapFsError } from "./file-errors.ts";
import { sourceChanged } from "./source-changed.ts";

const COPY_BYTES = 1024 * 1024;

/** Opens a local file for upload, gives its bytes and size to `fn`, and closes it. */
export async function withFileBody<T>(
  localPath: string,
  fn: (body: AsyncIterable<Uint8Array>, size: number) => Promise<T>,
): Promise<T> {
  const path = resolve(localPath);
  const uri = pathToFileURL(path).href;
  const handle = await localCall(uri, () => open(path, "r"));
  try {
    const stats = await localCall(uri, () => handle.stat());
    if (!stats.isFile()) throw new ObjectStoreError("path-conflict", `${uri} is not a file.`, { uri });
    return await fn(chunksOf(handle, stats.size, uri), stats.size);
  } finally {
    await handle.close();
  }
}

/** Size of a local file. Throws what `withFileBody` throws for one that is not there or no file. */
export function fileSize(localPath: string): Promise<number> {
  return withFileBody(localPath, (_, size) => Promise.resolve(size));
}

async function* chunksOf(handle: FileHandle, size: number, uri: string): AsyncGenerator<Uint8Array> {
  let seen = 0;
  const chunks: AsyncIterable<Uint8Array> = handle.createReadStream({
    highWaterMark: COPY_BYTES,
    autoClose: false,
  });
  for await (const chunk of chunks) {
    seen += chunk.length;
    yield chunk;
  }
  if (seen !== size) throw sourceChanged(uri, size, seen);
}

/** Writes a stream to a local file, whole or not at all. */
export async function saveStream(
  source: Readable,
  localPath: string,
): Promise<{ size: number; sha256: string }> {
  const path = resolve(localPath);
  const uri = pathToFileURL(path).href;
  const hash = createHash("sha256");
  let size = 0;
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      size += chunk.length;
      yield chunk;
    }
  }
  try {
    await localCall(uri, () => writeFileAtomically(path, hashed(), { ifAbsent: false, uri }));
  } finally {
    source.destroy();
  }
  return { size, sha256: hash.digest("hex") };
}

/** For the local side of a transfer: its errors name the local file, not the object. */
async function localCall<T>(uri: string, fn: () => Promise<T>): Promise<T> {
  try {
    return await fn();
  } catch (error) {
    throw error instanceof ObjectStoreError ? error : (mapFsError(error, uri) ?? error);
  }
}
