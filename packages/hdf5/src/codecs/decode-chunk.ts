import {
  type Arena,
  type BitshuffleOptions,
  bitshuffleAt,
  bloscAt,
  CodecError,
  hdf5Lz4At,
  inflateAt,
  lzfAt,
  reserve,
  type Span,
  unzstd,
  view,
} from "@cytomesh/codecs";
import { Hdf5Error } from "../errors.ts";
import { filterIds } from "../filters.ts";

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
 * Undoes the filter pipeline of one stored chunk: deflate, shuffle, fletcher32 (checked), LZF, Zstandard, Blosc, LZ4, bitshuffle.
 *
 * @param filterMask bit k set: filter k was left out for this chunk (LZF does so with what it cannot shrink)
 * @param where names dataset and chunk in errors
 * @param into takes the bytes, exactly `chunkBytes`; without it a new array is made
 * @throws Hdf5Error "corrupt" when it cannot be decoded, fails its checksum or has another size than `chunkBytes`; "unsupported" for a
 * container of Blosc 2
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

/** Filters may make a chunk larger, but not much more than twice: what is stored for one beyond this is damage. */
export function mostStoredBytes(chunkBytes: number): number {
  return 2 * chunkBytes + 64 * 1024;
}

let arena: Arena;

/** Where the stored bytes of the next `decodeInput` are to be put, for who reads them from a file. */
export function chunkInput(storedBytes: number, coding: ChunkCoding): Uint8Array<ArrayBuffer> {
  const room = coding.chunkBytes + checksumBytes;
  const scratch = coding.filters.some(({ id }) => needsScratch.has(id)) ? room : 0;
  arena = reserve([storedBytes, room, room, scratch]);
  return view(arena, { at: arena.areas[0]!, length: storedBytes });
}

const needsScratch: ReadonlySet<number> = new Set([filterIds.blosc, filterIds.bitshuffle]);

/** @returns the chunk, in memory that the next chunk overwrites */
export function decodeInput(
  storedBytes: number,
  coding: ChunkCoding,
  filterMask: number,
  where: string,
): Uint8Array<ArrayBuffer> {
  let span: Span = { at: arena.areas[0]!, length: storedBytes };
  try {
    for (let k = coding.filters.length - 1; k >= 0; k--) {
      if ((filterMask & (1 << k)) === 0) span = undo(coding.filters[k]!, span, coding);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const tag = cause instanceof CodecError ? cause.tag : "corrupt";
    throw new Hdf5Error(tag, `${where}: a compressed chunk cannot be decoded: ${reason}`, { cause });
  }
  if (span.length !== coding.chunkBytes) {
    throw new Hdf5Error(
      "corrupt",
      `${where}: a chunk holds ${span.length} bytes, expected ${coding.chunkBytes}`,
    );
  }
  return view(arena, span);
}

const checksumBytes = 4;
function undo({ id, values }: StoredFilter, from: Span, { elementBytes, chunkBytes }: ChunkCoding): Span {
  const [, first, second, scratch] = arena.areas as [number, number, number, number];
  const to = from.at === first ? second : first;
  const room = chunkBytes + checksumBytes;
  switch (id) {
    case filterIds.shuffle: {
      const size = values?.[0] ?? elementBytes;
      if (size <= 1 || from.length > room) return from;
      arena.kernels.unshuffle(from.at, to, from.length, size);
      return { at: to, length: from.length };
    }
    case filterIds.fletcher32:
      return withoutChecksum(from);
    case filterIds.lzf:
      return { at: to, length: lzfAt(arena, from, to, room) };
    case filterIds.zstd:
      return put(unzstd(view(arena, from), room), to);
    case filterIds.deflate:
      return { at: to, length: inflateAt(arena, from, to, room) };
    case filterIds.blosc:
      return { at: to, length: bloscAt(arena, from, to, room, scratch) };
    case filterIds.lz4:
      return { at: to, length: hdf5Lz4At(arena, from, to, room) };
    case filterIds.bitshuffle: {
      const options = bitshuffleOptions(values, elementBytes);
      return { at: to, length: bitshuffleAt(arena, from, to, room, scratch, options) };
    }
    default:
      throw new Error(`filter ${id} is unknown`);
  }
}

const bitshuffleCompressors: Readonly<Record<number, BitshuffleOptions["compressor"]>> = {
  0: "none",
  2: "lz4",
  3: "zstd",
};

/** Its values: two of the version, then bytes of an element, elements of a block, compressor and level. */
function bitshuffleOptions(values: readonly number[] | undefined, elementBytes: number): BitshuffleOptions {
  const code = values?.[4] ?? 0;
  const compressor = bitshuffleCompressors[code];
  if (compressor === undefined) {
    throw new CodecError("unsupported", `bitshuffle with compressor ${code}; LZ4 and Zstandard are known`);
  }
  return { elementBytes: values?.[2] ?? elementBytes, blockElements: values?.[3] ?? 0, compressor };
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
  const made = arena.kernels.fletcher32(from.at, length) >>> 0;
  const swapped = (((made & 0x00ff00ff) << 8) | ((made >>> 8) & 0x00ff00ff)) >>> 0;
  if (found !== made && found !== swapped) {
    throw new Error(`its Fletcher checksum is ${made.toString(16)}, the file says ${found.toString(16)}`);
  }
  return { at: from.at, length };
}
