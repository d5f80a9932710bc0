import { closeSync, openSync, readSync } from "node:fs";
import { Hdf5Error } from "./errors.ts";

const headerBytes = 16;
const referenceBytes = 16;
const maxCollectionBytes = 64 * 1024 * 1024;

/**
 * Variable-length strings of a chunk that HDF5 could not decode itself: each reference is a length, the address of a global heap
 * collection and an index in it. Source: HDF5 file format specification 3.0, III.E.
 *
 * @param references 16 bytes per string (8-byte addresses)
 * @param base address of the superblock, which all addresses are relative to
 */
export function readHeapStrings(path: string, references: Uint8Array, base: number, where: string): Buffer[] {
  const refs = Buffer.from(references.buffer, references.byteOffset, references.byteLength);
  const fd = openSync(path, "r");
  const collections = new Map<number, Map<number, Buffer>>();
  try {
    return Array.from({ length: refs.length / referenceBytes }, (_, i) => {
      const length = refs.readUInt32LE(i * referenceBytes);
      if (length === 0) return Buffer.alloc(0);
      const address = Number(refs.readBigUInt64LE(i * referenceBytes + 4));
      let objects = collections.get(address);
      if (objects === undefined) {
        objects = readCollection(fd, base + address, where);
        collections.set(address, objects);
      }
      const bytes = objects.get(refs.readUInt32LE(i * referenceBytes + 12));
      if (bytes === undefined || bytes.length < length) {
        throw new Hdf5Error("corrupt", `${where}: string ${i} points to nothing in the heap at ${address}`);
      }
      return bytes.subarray(0, length);
    });
  } finally {
    closeSync(fd);
  }
}

function readCollection(fd: number, at: number, where: string): Map<number, Buffer> {
  const head = readExactly(fd, at, headerBytes, where);
  const size = Number(head.readBigUInt64LE(8));
  if (head.toString("latin1", 0, 4) !== "GCOL" || !(size >= headerBytes && size <= maxCollectionBytes)) {
    throw new Hdf5Error("corrupt", `${where}: there is no heap collection at ${at}`);
  }
  const bytes = readExactly(fd, at, size, where);
  const objects = new Map<number, Buffer>();
  for (let from = headerBytes; from + headerBytes <= size; ) {
    const index = bytes.readUInt16LE(from);
    const length = Number(bytes.readBigUInt64LE(from + 8));
    if (index === 0) break;
    if (from + headerBytes + length > size)
      throw new Hdf5Error("corrupt", `${where}: heap object ${index} at ${at} is cut off`);
    objects.set(index, bytes.subarray(from + headerBytes, from + headerBytes + length));
    from += headerBytes + Math.ceil(length / 8) * 8;
  }
  return objects;
}

function readExactly(fd: number, at: number, count: number, where: string): Buffer {
  const bytes = Buffer.alloc(count);
  const read = Number.isSafeInteger(at) ? readSync(fd, bytes, 0, count, at) : 0;
  if (read < count)
    throw new Hdf5Error("corrupt", `${where}: the heap at ${at} lies beyond the end of the file`);
  return bytes;
}
