import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, writeFile } from "node:fs/promises";
import { throwIfCancelled, VectorIndexError } from "./errors.ts";
import type { FileEntry } from "./types.ts";

const CHUNK_BYTES = 8 * 1024 * 1024;

/** Writes a new file and returns its length and digest. */
export async function writeNew(path: string, bytes: Uint8Array, signal?: AbortSignal): Promise<FileEntry> {
  const hash = createHash("sha256");
  const file = await open(path, "wx");
  try {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
      throwIfCancelled(signal, "index build");
      const chunk = bytes.subarray(at, at + CHUNK_BYTES);
      hash.update(chunk);
      await writeFile(file, chunk);
    }
  } finally {
    await file.close();
  }
  return { bytes: bytes.length, sha256: hash.digest("hex") };
}

/** Length and digest of a file that something else wrote. */
export async function digestFile(path: string): Promise<FileEntry> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * The content of a file, checked against the manifest. Memory is taken only once the length on disk agrees.
 * @throws VectorIndexError `corrupt_index`, `cancelled`
 */
export async function readVerified(
  path: string,
  expected: FileEntry,
  signal?: AbortSignal,
): Promise<ArrayBuffer> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw damaged(path, "cannot be opened", cause);
  });
  try {
    const { size } = await file.stat();
    if (size !== expected.bytes) {
      throw damaged(path, `has ${size} bytes, the manifest says ${expected.bytes}`);
    }
    const content = new Uint8Array(size);
    const hash = createHash("sha256");
    for (let at = 0; at < size; ) {
      throwIfCancelled(signal, "opening the index");
      const { bytesRead } = await file.read(content, at, Math.min(CHUNK_BYTES, size - at), at);
      if (bytesRead === 0) throw damaged(path, `ends after ${at} of ${size} bytes`);
      hash.update(content.subarray(at, at + bytesRead));
      at += bytesRead;
    }
    requireDigest(path, hash.digest("hex"), expected);
    return content.buffer;
  } finally {
    await file.close();
  }
}

/** Checks a file that a native library is about to read by itself. */
export async function verifyFile(path: string, expected: FileEntry): Promise<void> {
  const found = await digestFile(path).catch((cause: unknown) => {
    throw damaged(path, "cannot be read", cause);
  });
  if (found.bytes !== expected.bytes) {
    throw damaged(path, `has ${found.bytes} bytes, the manifest says ${expected.bytes}`);
  }
  requireDigest(path, found.sha256, expected);
}

function requireDigest(path: string, sha256: string, expected: FileEntry): void {
  if (sha256 !== expected.sha256) {
    throw damaged(path, `has sha256 ${sha256}, the manifest says ${expected.sha256}`);
  }
}

export function damaged(path: string, detail: string, cause?: unknown): VectorIndexError {
  return new VectorIndexError("corrupt_index", `${path} ${detail}: fetch the index again or rebuild it`, {
    path,
    ...(cause === undefined ? {} : { cause }),
  });
}
