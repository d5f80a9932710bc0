import * as zlib from "node:zlib";
import { type Arena, type Span, view } from "./arena.ts";
import { checked, corrupt } from "./errors.ts";

/**
 * Inside an arena our kernel wins where it saves node:zlib's output a copy and matches are many: chunks of some size that shrink well.
 * For small ones its tables cost more than they bring; into memory of its own zlib is faster for every size. Measured with
 * bench/data-plane/codecs.ts; zlib's lead on what shrinks to a half is less than what collecting its buffers costs a reader of many chunks.
 */
const kernelFromRatio = 2;
const kernelFromBytes = 16 * 1024;

const failures = [
  "no zlib header",
  "the compressed data ends too early",
  "unknown kind of block",
  "impossible code lengths",
  "a code that does not exist",
  "a reference to before the beginning",
  "more bytes than a chunk has",
  "wrong Adler checksum",
  "a stored block contradicts its length",
];

/**
 * A zlib stream (RFC 1950) inside an arena, by the kernel or node:zlib, whichever is faster for these sizes.
 *
 * @returns bytes written to `to`, at most `room`
 * @throws CodecError "corrupt"
 */
export function inflateAt(arena: Arena, from: Span, to: number, room: number): number {
  if (room >= kernelFromBytes && from.length * kernelFromRatio <= room) {
    return inflateByKernel(arena, from, to, room);
  }
  const bytes = inflate(view(arena, from), room);
  arena.bytes.set(bytes, to);
  return bytes.length;
}

/** `inflateAt` by the kernel, whatever the sizes. */
export function inflateByKernel({ kernels }: Arena, from: Span, to: number, room: number): number {
  return checked(kernels.inflate(from.at, from.length, to, room), "deflate", failures);
}

/** A zlib stream (RFC 1950) of at most `maxBytes`. */
export function inflate(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return native(zlib.inflateSync, "deflate", bytes, maxBytes);
}

/** A gzip file (RFC 1952) of at most `maxBytes`. */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return native(zlib.gunzipSync, "gzip", bytes, maxBytes);
}

/** One or more Zstandard frames (RFC 8878) of at most `maxBytes`. */
export function unzstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return native(zlib.zstdDecompressSync, "zstd", bytes, maxBytes);
}

type Native = (
  bytes: Uint8Array,
  options: { maxOutputLength: number; chunkSize: number },
) => Buffer<ArrayBufferLike>;

function native(decode: Native, format: string, bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    const made = decode(bytes, bounds(bytes, maxBytes));
    return new Uint8Array(made.buffer, made.byteOffset, made.byteLength);
  } catch (error) {
    const tooMany = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    const reason = tooMany ? `more bytes than the ${maxBytes} there may be` : (error as Error).message;
    throw corrupt(`${format}: ${reason}`, error);
  }
}

/** Up to here the output gets all it may have at once. */
const onePieceBytes = 4 * 1024 * 1024;

/** Output comes in pieces of this size: one piece for a chunk of usual size, and little waste where far more is allowed than comes. */
function bounds(stored: Uint8Array, maxBytes: number): { maxOutputLength: number; chunkSize: number } {
  // A piece filled to its end is followed by an empty one.
  const all = maxBytes + 64;
  const likely = Math.max(onePieceBytes, Math.min(stored.length * 8 + 1024, 16 * 1024 * 1024));
  return { maxOutputLength: Math.max(1, maxBytes), chunkSize: Math.max(1024, Math.min(all, likely)) };
}
