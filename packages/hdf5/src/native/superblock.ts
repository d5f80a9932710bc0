import { closeSync, openSync, readSync } from "node:fs";
import { fromSystemError, Hdf5Error } from "../errors.ts";
import { checkSuperblock } from "../superblock.ts";
import { Cursor, type Widths } from "./cursor.ts";
import { type FileBytes, openBytes, verify } from "./file-bytes.ts";

export interface OpenedFile {
  bytes: FileBytes;
  /** Address of the root group's object header. */
  root: number;
  /** Address of the superblock extension's object header. */
  extension: number | undefined;
}

/**
 * Reads superblock version 0 to 3. Addresses count from where the superblock was found, as in the HDF5 library: a file whose
 * user block was added or removed afterwards stays readable. Source: HDF5 file format specification 3.0, II.A.
 *
 * @throws Hdf5Error
 */
export function openSuperblock(path: string): OpenedFile {
  const { sizeBytes, base } = checkSuperblock(path);
  const head = readHead(path, base);
  const cursor = new Cursor(head, { address: 8, length: 8 }, `${path}: superblock`);
  cursor.skip(8);
  const version = cursor.u8();
  return version < 2
    ? openOld(path, sizeBytes, base, cursor, version)
    : openNew(path, sizeBytes, base, cursor);
}

function readHead(path: string, base: number): Uint8Array {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw fromSystemError(error, path, "read");
  }
  try {
    const bytes = new Uint8Array(128);
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, base));
  } finally {
    closeSync(descriptor);
  }
}

function openOld(path: string, sizeBytes: number, base: number, cursor: Cursor, version: number): OpenedFile {
  cursor.skip(4);
  const widths = readWidths(cursor);
  // Reserved byte, K of leaves and nodes of groups, consistency flags; version 1 adds K of chunk indexes.
  cursor.skip(1 + 2 + 2 + 4 + (version === 1 ? 4 : 0));
  const rest = new Cursor(cursor.take(cursor.left), widths, cursor.what);
  rest.skip(4 * widths.address);
  // Symbol table entry of the root group: name offset, then the header's address.
  rest.skip(widths.length);
  const root = rest.address();
  return finish(path, sizeBytes, base, widths, root, undefined);
}

function openNew(path: string, sizeBytes: number, base: number, cursor: Cursor): OpenedFile {
  const widths = readWidths(cursor);
  const end = 12 + 4 * widths.address + 4;
  if (cursor.bytes.length < end)
    throw new Hdf5Error("truncated", `${path}: the file ends inside its superblock`);
  verify(cursor.bytes.subarray(0, end), `${path}: superblock`);
  cursor.skip(1);
  const rest = new Cursor(cursor.take(cursor.left), widths, cursor.what);
  rest.skip(widths.address);
  const extension = rest.address();
  rest.skip(widths.address);
  return finish(path, sizeBytes, base, widths, rest.address(), extension);
}

function readWidths(cursor: Cursor): Widths {
  const [address, length] = [cursor.u8(), cursor.u8()];
  for (const width of [address, length]) {
    if (width !== 2 && width !== 4 && width !== 8) {
      throw new Hdf5Error("unsupported", `${cursor.what}: numbers of ${width} bytes, expected 2, 4 or 8`);
    }
  }
  return { address, length };
}

function finish(
  path: string,
  sizeBytes: number,
  base: number,
  widths: Widths,
  root: number | undefined,
  extension: number | undefined,
): OpenedFile {
  if (root === undefined) throw new Hdf5Error("corrupt", `${path}: superblock: there is no root group`);
  return { bytes: openBytes(path, sizeBytes, base, widths), root, extension };
}
