import * as zlib from "node:zlib";
import { Hdf5Error } from "../errors.ts";
import { filterIds } from "../filters.ts";
import { type Arena, reserve, type Span } from "./arena.ts";

export interface StoredFilter {
  id: number;
  values?: readonly number[];
}

/** How one dataset's chunks are stored. */
export interface ChunkCoding {
  /** In the order in which they were applied when writing. */
  filters: readonly StoredFilter[];
  /** Bytes of one element as it lies in the file; shuffle works on them unless its own values say otherwise. */
  elementBytes: number;
  /** Size of a whole chunk; edge chunks are stored whole. */
  chunkBytes: number;
}

/**
 * Undoes the filter pipeline of one stored chunk: deflate, shuffle, fletcher32 (checked), LZF, Zstandard.
 *
 * @param filterMask bit k set: filter k was left out for this chunk (LZF does so with what it cannot shrink)
 * @param where names dataset and chunk in errors
 * @param into takes the bytes, exactly `chunkBytes`; without it a new array is made
 * @throws Hdf5Error "corrupt" when it cannot be decoded, fails its checksum or has another size than `chunkBytes`
 */
export function decodeChunk(
  stored: Uint8Array,
  filters: readonly StoredFilter[],
  elementBytes: number,
  chunkBytes: number,
  filterMask: number,
  where: string,
  into?: Uint8Array,
): Uint8Array {
  const coding = { filters, elementBytes, chunkBytes };
  const input = chunkInput(stored.length, coding);
  input.set(stored);
  const bytes = decodeInput(stored.length, coding, filterMask, where);
  if (into === undefined) return bytes.slice();
  into.set(bytes);
  return into;
}

let arena: Arena;

/** Where the stored bytes of the next `decodeInput` are to be put, for who reads them from a file. */
export function chunkInput(storedBytes: number, coding: ChunkCoding): Uint8Array<ArrayBuffer> {
  arena = reserve(storedBytes, coding.chunkBytes + checksumBytes);
  return arena.bytes.subarray(arena.input, arena.input + storedBytes);
}

/** @returns the chunk, in memory that the next chunk overwrites */
export function decodeInput(
  storedBytes: number,
  coding: ChunkCoding,
  filterMask: number,
  where: string,
): Uint8Array<ArrayBuffer> {
  let span: Span = { at: arena.input, length: storedBytes };
  try {
    for (let k = coding.filters.length - 1; k >= 0; k--) {
      if ((filterMask & (1 << k)) === 0) span = undo(coding.filters[k]!, span, coding);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Hdf5Error("corrupt", `${where}: a compressed chunk cannot be decoded: ${reason}`, { cause });
  }
  if (span.length !== coding.chunkBytes) {
    throw new Hdf5Error(
      "corrupt",
      `${where}: a chunk holds ${span.length} bytes, expected ${coding.chunkBytes}`,
    );
  }
  return arena.bytes.subarray(span.at, span.at + span.length);
}

const checksumBytes = 4;
/**
 * From here on zlib is as fast or faster: its inner loop is native, ours starts sooner and copies matches quicker. Measured with
 * bench/data-plane/codecs.ts.
 */
const nativeFromRatio = 4;
const nativeFromBytes = 32 * 1024;

function undo({ id, values }: StoredFilter, from: Span, { elementBytes, chunkBytes }: ChunkCoding): Span {
  const { codecs } = arena;
  const to = arena.outputs[from.at === arena.outputs[0] ? 1 : 0];
  const room = chunkBytes + checksumBytes;
  switch (id) {
    case filterIds.shuffle: {
      const size = values?.[0] ?? elementBytes;
      if (size <= 1 || from.length > room) return from;
      codecs.unshuffle(from.at, to, from.length, size);
      return { at: to, length: from.length };
    }
    case filterIds.fletcher32:
      return withoutChecksum(from);
    case filterIds.lzf:
      return { at: to, length: checked(codecs.lzfDecode(from.at, from.length, to, room), lzfFailures) };
    case filterIds.zstd:
      return put(zlib.zstdDecompressSync(view(from), { maxOutputLength: room }), to);
    case filterIds.deflate: {
      const small = chunkBytes <= nativeFromBytes || from.length * nativeFromRatio <= chunkBytes;
      if (!small) return put(zlib.inflateSync(view(from), { maxOutputLength: room, chunkSize: room }), to);
      return { at: to, length: checked(codecs.inflate(from.at, from.length, to, room), inflateFailures) };
    }
    default:
      throw new Error(`filter ${id} is unknown`);
  }
}

function view(span: Span): Uint8Array {
  return arena.bytes.subarray(span.at, span.at + span.length);
}

function put(bytes: Uint8Array, at: number): Span {
  arena.bytes.set(bytes, at);
  return { at, length: bytes.length };
}

/** HDF5 before 1.6.3 swapped the bytes of each half on little-endian machines; both are accepted, as HDF5 does. */
function withoutChecksum(from: Span): Span {
  const length = from.length - checksumBytes;
  if (length < 0) throw new Error(`${from.length} bytes cannot hold a Fletcher checksum`);
  const found = new DataView(arena.bytes.buffer).getUint32(from.at + length, true);
  const made = arena.codecs.fletcher32(from.at, length) >>> 0;
  const swapped = (((made & 0x00ff00ff) << 8) | ((made >>> 8) & 0x00ff00ff)) >>> 0;
  if (found !== made && found !== swapped) {
    throw new Error(`its Fletcher checksum is ${made.toString(16)}, the file says ${found.toString(16)}`);
  }
  return { at: from.at, length };
}

const inflateFailures = [
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
const lzfFailures = [
  "LZF: literal run beyond the end",
  "LZF: input ends inside a back reference",
  "LZF: back reference out of bounds",
];

function checked(result: number, failures: readonly string[]): number {
  if (result < 0) throw new Error(failures[-result - 1] ?? `failure ${result}`);
  return result;
}
