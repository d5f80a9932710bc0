import { Hdf5Error } from "../errors.ts";
import { ByteWriter } from "./byte-writer.ts";
import { vlenBytes } from "./encode-type.ts";
import type { FileSpace } from "./file-space.ts";

const headerBytes = 16;
const objectHeaderBytes = 16;
/** HDF5 makes collections of at least 4 KiB; bigger ones mean fewer reads. */
const collectionBytes = 64 * 1024;
const maxObjects = 65_535;
/** The least size of a collection; attributes, mostly a word or two, would make one each. */
const sharedBytes = 4096;
const smallBytes = 1024;

/**
 * Variable-length strings in global heap collections: a series of them per array; what is small goes into one that all share.
 * Source: HDF5 file format specification 3.0, III.E.
 *
 * @returns 16 bytes per string: length, collection address, object index
 */
export function writeStrings(space: FileSpace, values: readonly string[], where: string): Buffer {
  const references = new ByteWriter(values.length * vlenBytes);
  if (values.length * objectHeaderBytes <= smallBytes) {
    const small = values.map((value, i) => encodeString(value, i, where));
    const size = small.reduce((sum, bytes) => sum + objectBytes(bytes), 0);
    if (size <= smallBytes) return share(space, small, size);
  }
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
    const bytes = encodeString(value, i, where);
    const size = objectBytes(bytes);
    const full = used + size + objectHeaderBytes > collectionBytes || waiting.length >= maxObjects - 1;
    if (full) flush();
    waiting.push(bytes);
    used += size;
  });
  flush();
  return references.bytes();
}

function encodeString(value: string, i: number, where: string): Buffer {
  if (value.includes("\0")) {
    throw new Hdf5Error("invalid-argument", `${where}: string ${i} contains a NUL character`);
  }
  if (!value.isWellFormed()) {
    throw new Hdf5Error(
      "invalid-argument",
      `${where}: string ${i} has half of a surrogate pair, which UTF-8 cannot hold`,
    );
  }
  return Buffer.from(value);
}

/** What a string takes in a collection; empty ones are not stored. */
function objectBytes(bytes: Buffer): number {
  return bytes.length === 0 ? 0 : objectHeaderBytes + bytes.length + (-bytes.length & 7);
}

/** Adds to the collection that is open, or opens another. It is sound at any time: its free space is written with every addition. */
function share(space: FileSpace, strings: readonly Buffer[], size: number): Buffer {
  const references = new ByteWriter(strings.length * vlenBytes);
  let open = space.openCollection;
  if (size > 0 && (open === undefined || open.used + size + objectHeaderBytes > sharedBytes)) {
    open = { address: space.append(collection([], headerBytes)), used: headerBytes, objects: 0 };
    space.openCollection = open;
  }
  const added = new ByteWriter(size + objectHeaderBytes);
  for (const bytes of strings) {
    if (bytes.length === 0) references.u32(0).u64(0).u32(0);
    else {
      addObject(added, ++open!.objects, bytes);
      references.u32(bytes.length).u64(open!.address).u32(open!.objects);
    }
  }
  if (size > 0) {
    const at = open!.address + open!.used;
    open!.used += size;
    addFree(added, sharedBytes - open!.used);
    space.overwrite(at, added.bytes());
  }
  return references.bytes();
}

function addObject(out: ByteWriter, index: number, bytes: Buffer): void {
  out
    .u16(index)
    .u16(0)
    .u32(0)
    .u64(bytes.length)
    .raw(bytes)
    .zeros(-bytes.length & 7);
}

/** Object 0: the free space, its header included. */
function addFree(out: ByteWriter, bytes: number): void {
  out.u16(0).u16(0).u32(0).u64(bytes);
}

function collection(strings: readonly Buffer[], used: number): Buffer {
  // What is left is object 0, the free space; it needs room for its own header.
  const size = Math.max(sharedBytes, used + objectHeaderBytes);
  const out = new ByteWriter(size).raw(Buffer.from("GCOL")).u8(1, 0, 0, 0).u64(size);
  let index = 0;
  for (const bytes of strings) {
    if (bytes.length === 0) continue;
    addObject(out, ++index, bytes);
  }
  addFree(out, size - out.length);
  return out.zeros(size - out.length).bytes();
}
