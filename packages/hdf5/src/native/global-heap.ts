import { Hdf5Error } from "../errors.ts";
import type { FileBytes } from "./file-bytes.ts";

/** Of a collection and of an object in it: 8 bytes and a length, which is filled up to 8. */
const headBytes = 16;
/** h5py's collections have 4 KiB; one that holds a single huge object is as big as that. */
const maxCollectionBytes = 256 * 1024 * 1024;
/** In a larger one there is a huge object, which is better decoded by itself. */
const maxLatin1Bytes = 1024 * 1024;
/** Bytes of collections kept, as text too: rows are read in order, and what a column holds of them lies close together. */
const cacheBytes = 4 * 1024 * 1024;

interface Collection {
  bytes: Buffer;
  /** Start and end of object i at 2 i and 2 i + 1; end 0 where there is none. */
  ranges: Int32Array;
  /** All bytes as Latin-1, made when first asked for: a part of it costs far less than a string made of bytes. */
  latin1: string | undefined;
}

/** Objects of the global heap: variable-length values and the descriptions of virtual datasets. @throws Hdf5Error "corrupt" */
export interface GlobalHeap {
  read(address: number, index: number, what: string): Uint8Array;
  /**
   * The first `length` bytes of an object as text, up to a NUL; undefined where they are not ASCII, or not that many, and a closer look
   * is needed.
   */
  ascii(address: number, index: number, length: number, what: string): string | undefined;
}

/** Source: HDF5 file format specification 3.0, III.E. */
export function openGlobalHeap(file: FileBytes): GlobalHeap {
  const cache = new Map<number, Collection>();
  let held = 0;
  let lastAddress = -1;
  let last: Collection | undefined;

  function collection(address: number, what: string): Collection {
    if (address === lastAddress && last !== undefined) return last;
    let found = cache.get(address);
    if (found === undefined) {
      found = readCollection(file, address, what);
      held += found.bytes.length;
      for (const [oldest, { bytes }] of cache) {
        if (held <= cacheBytes) break;
        cache.delete(oldest);
        held -= bytes.length;
      }
      cache.set(address, found);
    }
    lastAddress = address;
    last = found;
    return found;
  }

  return {
    read: (address, index, what) => {
      const { bytes, ranges } = collection(address, what);
      const end = ranges[2 * index + 1] ?? 0;
      if (index === 0 || end === 0) {
        throw new Hdf5Error(
          "corrupt",
          `${file.path}: ${what}: there is no object ${index} in the heap at ${address}`,
        );
      }
      return bytes.subarray(ranges[2 * index]!, end);
    },
    ascii: (address, index, length, what) => {
      const found = collection(address, what);
      const { bytes, ranges } = found;
      const start = ranges[2 * index] ?? 0;
      const stop = start + length;
      if (index === 0 || stop > (ranges[2 * index + 1] ?? 0) || bytes.length > maxLatin1Bytes)
        return undefined;
      let end = start;
      for (; end < stop; end++) {
        const byte = bytes[end]!;
        if (byte === 0) break;
        if (byte > 127) return undefined;
      }
      found.latin1 ??= bytes.toString("latin1");
      return found.latin1.slice(start, end);
    },
  };
}

function readCollection(file: FileBytes, address: number, what: string): Collection {
  const name = `${what}: global heap collection at ${address}`;
  const { length: lengthWidth } = file.widths;
  const head = file.cursor(address, 8 + lengthWidth, name);
  head.expect("GCOL");
  head.expectVersion(1);
  head.skip(3);
  const size = head.length();
  if (size < headBytes || size > maxCollectionBytes) {
    throw new Hdf5Error("corrupt", `${head.what}: ${size} bytes, at most ${maxCollectionBytes}`);
  }
  const { bytes: all } = file.cursor(address, size, name);
  const bytes = Buffer.from(all.buffer, all.byteOffset, all.byteLength);
  let ranges = new Int32Array(512);
  // Of each object: a number (2 bytes), how often it is used (2), nothing (4), its length, the object, filled up to 8 bytes.
  for (let at = headBytes; at + headBytes <= size; ) {
    const index = bytes.readUInt16LE(at);
    const length = lengthAt(bytes, at + 8, lengthWidth);
    const from = at + headBytes;
    // Object 0 is the free space at the end; what overruns the collection ends it, the objects before stay readable.
    if (index === 0 || length > size - from) break;
    if (2 * index + 1 >= ranges.length) {
      const grown = new Int32Array(Math.max(ranges.length * 2, 2 * index + 2));
      grown.set(ranges);
      ranges = grown;
    }
    ranges[2 * index] = from;
    ranges[2 * index + 1] = from + length;
    at = from + Math.ceil(length / 8) * 8;
  }
  return { bytes, ranges, latin1: undefined };
}

/** Infinity where it is more than any collection has. */
function lengthAt(bytes: Buffer, at: number, width: number): number {
  if (width === 2) return bytes.readUInt16LE(at);
  if (width === 8 && bytes.readUInt32LE(at + 4) !== 0) return Number.POSITIVE_INFINITY;
  return bytes.readUInt32LE(at);
}
