import { Hdf5Error } from "../errors.ts";
import type { FileBytes } from "./file-bytes.ts";

/** Of a collection and of an object in it: 8 bytes and a length, which is filled up to 8. */
const headBytes = 16;
/** h5py's collections have 4 KiB; one that holds a single huge object is as big as that. */
const maxCollectionBytes = 256 * 1024 * 1024;
/** Bytes of collections kept. */
const cacheBytes = 16 * 1024 * 1024;

interface Collection {
  bytes: Uint8Array;
  /** Start and end of object i at 2 i and 2 i + 1; end 0 where there is none. */
  ranges: Float64Array;
}

/** Reads objects of the global heap: variable-length values and the descriptions of virtual datasets. */
export type ReadGlobal = (address: number, index: number, what: string) => Uint8Array;

/** Source: HDF5 file format specification 3.0, III.E. @throws Hdf5Error "corrupt" */
export function openGlobalHeap(file: FileBytes): ReadGlobal {
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

  return (address, index, what) => {
    const { bytes, ranges } = collection(address, what);
    const end = ranges[2 * index + 1] ?? 0;
    if (index === 0 || end === 0) {
      throw new Hdf5Error(
        "corrupt",
        `${file.path}: ${what}: there is no object ${index} in the heap at ${address}`,
      );
    }
    return bytes.subarray(ranges[2 * index]!, end);
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
  const cursor = file.cursor(address, size, name);
  cursor.skip(headBytes);
  let ranges = new Float64Array(512);
  while (cursor.left >= headBytes) {
    const index = cursor.u16();
    cursor.skip(6);
    // Object 0 is the free space at the end; what overruns the collection ends it, the objects before stay readable.
    if (index === 0) break;
    const length = cursor.lengthUpTo(cursor.left - 8);
    if (length === undefined) break;
    cursor.skip(8 - lengthWidth);
    const from = cursor.at;
    cursor.skip(length);
    cursor.skip(Math.min(cursor.left, (8 - (length % 8)) % 8));
    if (2 * index + 1 >= ranges.length) {
      const grown = new Float64Array(Math.max(ranges.length * 2, 2 * index + 2));
      grown.set(ranges);
      ranges = grown;
    }
    ranges[2 * index] = from;
    ranges[2 * index + 1] = from + length;
  }
  return { bytes: cursor.bytes, ranges };
}
