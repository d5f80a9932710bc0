import { Hdf5Error } from "../errors.ts";
import { ByteWriter } from "./byte-writer.ts";
import { vlenBytes } from "./encode-type.ts";
import type { FileSpace } from "./file-space.ts";

const headerBytes = 16;
const objectHeaderBytes = 16;
/** HDF5 makes collections of at least 4 KiB; bigger ones mean fewer reads. */
const collectionBytes = 64 * 1024;
const maxObjects = 65_535;

/**
 * Variable-length strings in global heap collections, one series of collections per array.
 * Source: HDF5 file format specification 3.0, III.E.
 *
 * @returns 16 bytes per string: length, collection address, object index
 */
export function writeStrings(space: FileSpace, values: readonly string[], where: string): Buffer {
  const references = new ByteWriter(values.length * vlenBytes);
  let waiting: Buffer[] = [];
  let used = headerBytes;

  function flush(): void {
    if (waiting.length === 0) return;
    const address = space.append(collection(waiting, used));
    let index = 0;
    for (const bytes of waiting) {
      if (bytes.length === 0) references.u32(0).u64(0).u32(0);
      else references.u32(bytes.length).u64(address).u32(++index);
    }
    waiting = [];
    used = headerBytes;
  }

  values.forEach((value, i) => {
    if (value.includes("\0")) {
      throw new Hdf5Error("invalid-argument", `${where}: string ${i} contains a NUL character`);
    }
    const bytes = Buffer.from(value);
    const size = bytes.length === 0 ? 0 : objectHeaderBytes + bytes.length + (-bytes.length & 7);
    const full = used + size + objectHeaderBytes > collectionBytes || waiting.length >= maxObjects - 1;
    if (full) flush();
    waiting.push(bytes);
    used += size;
  });
  flush();
  return references.bytes();
}

function collection(strings: readonly Buffer[], used: number): Buffer {
  // What is left is object 0, the free space; it needs room for its own header.
  const size = Math.max(4096, used + objectHeaderBytes);
  const out = new ByteWriter(size).raw(Buffer.from("GCOL")).u8(1, 0, 0, 0).u64(size);
  let index = 0;
  for (const bytes of strings) {
    if (bytes.length === 0) continue;
    out
      .u16(++index)
      .u16(0)
      .u32(0)
      .u64(bytes.length)
      .raw(bytes)
      .zeros(-bytes.length & 7);
  }
  const free = size - out.length;
  out.u16(0).u16(0).u32(0).u64(free);
  return out.zeros(size - out.length).bytes();
}
