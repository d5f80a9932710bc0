import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fromSystemError, Hdf5Error } from "./errors.ts";

const signature = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);

/** Leading bytes of what people upload under an HDF5 name, and what it is. */
const otherFormats: readonly [Buffer, string][] = [
  [Buffer.from("version https://git-lfs"), "a git-LFS pointer; fetch the file itself with `git lfs pull`"],
  [Buffer.from([0x89, 0x50, 0x4e, 0x47]), "a PNG image"],
  [Buffer.from("PK\x03\x04"), "a zip archive; unpack it first"],
  [Buffer.from("PK\x05\x06"), "an empty zip archive"],
  [Buffer.from([0x1f, 0x8b]), "gzip; decompress it first"],
  [Buffer.from("%%MatrixMarket"), "a MatrixMarket file"],
  [Buffer.from("RDX3"), "an R data file"],
  [Buffer.from("CDF"), "a classic netCDF file"],
];

/**
 * Checks the signature and the declared end of file before any parser sees the bytes.
 * Source: HDF5 file format specification 3.0, sections II.A and VI.
 *
 * @returns the file's size in bytes and where the superblock stands in it
 * @throws Hdf5Error "file-not-found" | "permission-denied" | "not-hdf5" | "truncated" | "corrupt"
 */
export function checkSuperblock(path: string): { sizeBytes: number; base: number } {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw fromSystemError(error, path, "read");
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Hdf5Error("file-not-found", `${path}: not a regular file`);
    const at = findSignature(fd, stat.size);
    if (at === undefined) throw notHdf5(path, fd, stat.size);
    checkEnd(path, fd, at, stat.size);
    return { sizeBytes: stat.size, base: at };
  } finally {
    closeSync(fd);
  }
}

/** The signature stands at 0, 512, 1024, 2048, …: a user block may precede it. */
function findSignature(fd: number, size: number): number | undefined {
  const head = Buffer.alloc(8);
  for (let at = 0; at + 8 <= size; at = at === 0 ? 512 : at * 2) {
    if (readSync(fd, head, 0, 8, at) === 8 && head.equals(signature)) return at;
  }
  return undefined;
}

function notHdf5(path: string, fd: number, size: number): Hdf5Error {
  if (size === 0) return new Hdf5Error("not-hdf5", `${path}: not an HDF5 file: it is empty`);
  const head = Buffer.alloc(64);
  const read = head.subarray(0, readSync(fd, head, 0, 64, 0));
  const known = otherFormats.find(([magic]) => read.subarray(0, magic.length).equals(magic));
  if (known !== undefined) return new Hdf5Error("not-hdf5", `${path}: not an HDF5 file: it is ${known[1]}`);
  const printable = read.every((byte) => byte >= 9 && byte < 127);
  const shown = printable
    ? JSON.stringify(read.toString("latin1").slice(0, 40))
    : read.subarray(0, 8).toString("hex");
  return new Hdf5Error("not-hdf5", `${path}: not an HDF5 file: begins with ${shown}`);
}

function checkEnd(path: string, fd: number, at: number, size: number): void {
  const head = Buffer.alloc(96);
  const bytes = head.subarray(0, readSync(fd, head, 0, 96, at));
  const version = bytes[8] ?? 255;
  if (version > 3) throw new Hdf5Error("corrupt", `${path}: superblock version ${version}, expected 0 to 3`);
  const width = version < 2 ? bytes[13] : bytes[9];
  if (width !== 2 && width !== 4 && width !== 8) {
    throw new Hdf5Error(
      "corrupt",
      `${path}: superblock says addresses have ${width} bytes, expected 2, 4 or 8`,
    );
  }
  // Versions 0 and 1: base, free space, end of file. Versions 2 and 3: base, extension, end of file.
  const start = version === 0 ? 24 : version === 1 ? 28 : 12;
  if (bytes.length < start + 3 * width) {
    throw new Hdf5Error(
      "truncated",
      `${path}: truncated: the file ends inside its superblock (${size} bytes)`,
    );
  }
  // Unlike every other address this one counts from the start of the file, user block included.
  const end = readWidth(bytes, start + 2 * width, width);
  if (end > size) {
    throw new Hdf5Error(
      "truncated",
      `${path}: truncated: superblock declares ${end} bytes, file has ${size}; copy or download it again`,
    );
  }
}

function readWidth(bytes: Buffer, at: number, width: 2 | 4 | 8): number {
  if (width === 8) return Number(bytes.readBigUInt64LE(at));
  return width === 4 ? bytes.readUInt32LE(at) : bytes.readUInt16LE(at);
}
