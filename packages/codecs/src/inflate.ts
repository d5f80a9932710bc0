import * as zlib from "node:zlib";
import { type Arena, decoded, reserve, type Span, taken, view } from "./arena.ts";
import { checked, corrupt } from "./errors.ts";

/**
 * From here on zlib is as fast or faster: its inner loop is native, ours starts sooner and copies matches quicker. Measured with
 * bench/data-plane/codecs.ts.
 */
const nativeFromRatio = 4;
const nativeFromBytes = 32 * 1024;

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

/** Whether the kernel inflates so many bytes to so many faster than node:zlib. */
export function kernelInflatesFaster(storedBytes: number, plainBytes: number): boolean {
  return plainBytes <= nativeFromBytes || storedBytes * nativeFromRatio <= plainBytes;
}

/**
 * A zlib stream (RFC 1950) inside an arena, by the kernel or node:zlib, whichever is faster for these sizes.
 *
 * @returns bytes written to `to`, at most `room`
 * @throws CodecError "corrupt"
 */
export function inflateAt(arena: Arena, from: Span, to: number, room: number): number {
  if (kernelInflatesFaster(from.length, room)) {
    return checked(arena.kernels.inflate(from.at, from.length, to, room), "deflate", failures);
  }
  const bytes = native(zlib.inflateSync, view(arena, from), room);
  arena.bytes.set(bytes, to);
  return bytes.length;
}

/** A zlib stream (RFC 1950) of at most `maxBytes`; `into` takes the bytes where it has just that length. */
export function inflate(bytes: Uint8Array, maxBytes: number, into?: Uint8Array): Uint8Array {
  if (!byKernel(bytes, maxBytes)) return native(zlib.inflateSync, bytes, maxBytes);
  return decoded(bytes, maxBytes, 0, into, (arena, from, to) =>
    checked(arena.kernels.inflate(from.at, from.length, to, maxBytes), "deflate", failures),
  );
}

/**
 * A gzip file (RFC 1952) of at most `maxBytes`; `into` takes the bytes where it has just that length. The kernel takes one member whose
 * header has no extras; zlib looks at the rest, and says what is wrong.
 */
export function gunzip(bytes: Uint8Array, maxBytes: number, into?: Uint8Array): Uint8Array {
  const body = bytes.length - gzipHeaderBytes - gzipTrailerBytes;
  const plain = body > 0 && bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8 && bytes[3] === 0;
  if (plain && byKernel(bytes, maxBytes)) {
    const arena = reserve([bytes.length, maxBytes]);
    const [from, to] = arena.areas as [number, number];
    arena.bytes.set(bytes, from);
    const room = bytes.length - gzipHeaderBytes;
    const length = arena.kernels.inflateRaw(from + gzipHeaderBytes, room, to, maxBytes);
    if (length >= 0 && gzipEnds(arena, from + bytes.length, { at: to, length })) {
      return taken(arena, { at: to, length }, into);
    }
  }
  return native(zlib.gunzipSync, bytes, maxBytes);
}

const gzipHeaderBytes = 10;
/** CRC-32 and length. */
const gzipTrailerBytes = 8;

function gzipEnds(arena: Arena, end: number, made: Span): boolean {
  const trailer = arena.kernels.inflateEnd() >>> 0;
  if (trailer + gzipTrailerBytes !== end) return false;
  const stored = new DataView(arena.bytes.buffer);
  return (
    stored.getUint32(trailer, true) === zlib.crc32(view(arena, made)) &&
    stored.getUint32(trailer + 4, true) === made.length
  );
}

/** What a caller allows may be far more than there is; the arena should not grow for that. */
const kernelBytes = 32 * 1024 * 1024;

function byKernel(bytes: Uint8Array, maxBytes: number): boolean {
  return bytes.length + maxBytes <= kernelBytes && kernelInflatesFaster(bytes.length, maxBytes);
}

type Native = (
  bytes: Uint8Array,
  options: { maxOutputLength: number; chunkSize: number },
) => Buffer<ArrayBufferLike>;

function native(decode: Native, bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    const made = decode(bytes, nativeBounds(bytes, maxBytes));
    return new Uint8Array(made.buffer, made.byteOffset, made.byteLength);
  } catch (error) {
    throw corrupt(`deflate: ${(error as Error).message}`, error);
  }
}

/** Output comes in pieces of this size: one piece for a chunk of usual size, and little waste for a small one. */
function nativeBounds(stored: Uint8Array, maxBytes: number): { maxOutputLength: number; chunkSize: number } {
  const likely = Math.min(maxBytes + 64, stored.length * 8 + 1024);
  return {
    maxOutputLength: Math.max(1, maxBytes),
    chunkSize: Math.max(1024, Math.min(likely, 16 * 1024 * 1024)),
  };
}

/** One or more Zstandard frames (RFC 8878) of at most `maxBytes`. */
export function unzstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return native(zlib.zstdDecompressSync, bytes, maxBytes);
}
