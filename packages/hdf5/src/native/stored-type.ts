import { Hdf5Error } from "../errors.ts";
import type { H5Type } from "../types.ts";
import { BeyondNative } from "./beyond-native.ts";
import type { Cursor } from "./cursor.ts";
import { bytesToHold, nameText } from "./cursor.ts";

type IntSize = 1 | 2 | 4 | 8;

/** A datatype as it stands in the file: H5Type plus what decoding needs. */
export type StoredType = { size: number } & (
  | { kind: "int"; signed: boolean; bigEndian: boolean }
  | { kind: "float"; bigEndian: boolean }
  | { kind: "string"; utf8: boolean; padding: Padding }
  | { kind: "vlen-string"; utf8: boolean }
  | { kind: "vlen"; base: StoredType }
  | { kind: "enum"; base: Extract<StoredType, { kind: "int" }>; members: Record<string, number> }
  | { kind: "compound"; members: { name: string; offset: number; type: StoredType }[] }
  | { kind: "array"; dims: number[]; base: StoredType }
  | { kind: "opaque"; tag: string }
  | { kind: "reference"; target: "object" | "region" }
  | { kind: "other"; description: string }
);

/** What ends a fixed-length string: its first NUL, or the NULs or spaces it is filled up with. */
export type Padding = "nul-terminated" | "nul" | "space";
const paddings: readonly Padding[] = ["nul-terminated", "nul", "space"];

const maxDepth = 16;
const maxMembers = 65_535;

/**
 * Datatype message, versions 1 to 5. What is not decoded here is "other" with a description, never an error, so that the object
 * can still be described. Source: HDF5 file format specification 3.0, IV.A.2.d.
 *
 * @throws Hdf5Error "corrupt"
 */
export function readType(cursor: Cursor, depth = 0): StoredType {
  if (depth > maxDepth) {
    throw new Hdf5Error("corrupt", `${cursor.what}: a datatype nested more than ${maxDepth} deep`);
  }
  const first = cursor.u8();
  const version = first >> 4;
  const bits = cursor.uint(3);
  const size = cursor.u32();
  if (version < 1 || version > 5) {
    throw new Hdf5Error("corrupt", `${cursor.what}: datatype version ${version}, expected 1 to 5`);
  }
  if (size === 0) throw new Hdf5Error("corrupt", `${cursor.what}: a datatype of 0 bytes`);
  switch (first & 0x0f) {
    case 0:
      return readInt(cursor, bits, size, "integer");
    case 1:
      return readFloat(cursor, bits, size);
    case 2:
      cursor.skip(2);
      return other(size, "time");
    case 3:
      return {
        kind: "string",
        size,
        utf8: ((bits >> 4) & 15) === 1,
        padding: paddings[bits & 15] ?? "nul-terminated",
      };
    case 4:
      // Bit fields are how PyTables stores booleans: read as unsigned integers.
      return readInt(cursor, bits & ~0x08, size, "bit field");
    case 5: {
      const tag = cursor.take(bits & 0xff);
      const nul = tag.indexOf(0);
      return { kind: "opaque", size, tag: nameText(nul < 0 ? tag : tag.subarray(0, nul)) };
    }
    case 6:
      return readCompound(cursor, version, bits & 0xffff, size, depth);
    case 7:
      return readReference(cursor, bits & 15, size);
    case 8:
      return readEnum(cursor, version, bits & 0xffff, size, depth);
    case 9:
      return readVlen(cursor, bits, size, depth);
    case 10:
      return readArray(cursor, version, size, depth);
    default:
      throw new BeyondNative(`${cursor.what}: datatype class ${first & 15} is not known`);
  }
}

function other(size: number, what: string): StoredType {
  return { kind: "other", size, description: `${what} of ${size} bytes` };
}

function readInt(cursor: Cursor, bits: number, size: number, what: string): StoredType {
  const offset = cursor.u16();
  const precision = cursor.u16();
  const plain =
    (size === 1 || size === 2 || size === 4 || size === 8) && offset === 0 && precision === size * 8;
  if (plain) return { kind: "int", size, signed: (bits & 8) !== 0, bigEndian: (bits & 1) !== 0 };
  return other(size, `${what} of ${precision} bits in a field`);
}

/** Sign, exponent and mantissa positions of IEEE 754 by size. */
const ieee: Record<number, readonly number[]> = {
  2: [15, 10, 5, 0, 10, 15],
  4: [31, 23, 8, 0, 23, 127],
  8: [63, 52, 11, 0, 52, 1023],
};

function readFloat(cursor: Cursor, bits: number, size: number): StoredType {
  const offset = cursor.u16();
  const precision = cursor.u16();
  const found = [(bits >> 8) & 0xff, cursor.u8(), cursor.u8(), cursor.u8(), cursor.u8(), cursor.u32()];
  const vax = (bits & 0x40) !== 0;
  const plain =
    !vax &&
    offset === 0 &&
    precision === size * 8 &&
    ((bits >> 4) & 3) === 2 &&
    ieee[size]?.every((value, i) => value === found[i]) === true;
  return plain ? { kind: "float", size, bigEndian: (bits & 1) !== 0 } : other(size, "floating point number");
}

function readCompound(
  cursor: Cursor,
  version: number,
  count: number,
  size: number,
  depth: number,
): StoredType {
  const members: { name: string; offset: number; type: StoredType }[] = [];
  const offsetWidth = bytesToHold(size);
  for (let i = 0; i < count; i++) {
    const name = readName(cursor, version);
    const offset = version < 3 ? cursor.u32() : cursor.uint(offsetWidth);
    let dims: number[] = [];
    if (version === 1) {
      const rank = cursor.u8();
      // Reserved, permutation, reserved.
      cursor.skip(3 + 4 + 4);
      dims = [cursor.u32(), cursor.u32(), cursor.u32(), cursor.u32()].slice(0, Math.min(4, rank));
    }
    let type = readType(cursor, depth + 1);
    if (dims.length > 0) type = arrayOf(cursor, type, dims);
    if (offset + type.size > size) {
      throw new Hdf5Error(
        "corrupt",
        `${cursor.what}: member ${name} ends at byte ${offset + type.size} of ${size}`,
      );
    }
    members.push({ name, offset, type });
  }
  return { kind: "compound", size, members };
}

/** Names end with a NUL; before version 3 they are filled up to a multiple of 8 bytes. */
function readName(cursor: Cursor, version: number): string {
  const start = cursor.at;
  const name = nameText(cursor.untilNul());
  if (version < 3) cursor.align(8, start);
  return name;
}

function readReference(cursor: Cursor, kind: number, size: number): StoredType {
  if (kind === 0 && size === cursor.widths.address) return { kind: "reference", size, target: "object" };
  if (kind === 1) return { kind: "reference", size, target: "region" };
  return other(size, "reference");
}

function readEnum(cursor: Cursor, version: number, count: number, size: number, depth: number): StoredType {
  const base = readType(cursor, depth + 1);
  if (count > maxMembers || base.size !== size) {
    throw new Hdf5Error("corrupt", `${cursor.what}: an enumeration of ${size} bytes over ${base.size} bytes`);
  }
  const names = Array.from({ length: count }, () => readName(cursor, version));
  const values = cursor.take(count * size);
  if (base.kind !== "int") return other(size, "enumeration");
  const buffer = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  // A null prototype: "__proto__" is as good a name as any.
  const members: Record<string, number> = Object.create(null);
  names.forEach((name, i) => {
    members[name] = readInteger(buffer, i * size, base);
  });
  return { kind: "enum", size, base, members: { ...members } };
}

function readInteger(buffer: Buffer, at: number, type: Extract<StoredType, { kind: "int" }>): number {
  const { size, signed, bigEndian } = type;
  if (size < 8) {
    if (bigEndian) return signed ? buffer.readIntBE(at, size) : buffer.readUIntBE(at, size);
    return signed ? buffer.readIntLE(at, size) : buffer.readUIntLE(at, size);
  }
  if (bigEndian) return Number(signed ? buffer.readBigInt64BE(at) : buffer.readBigUInt64BE(at));
  return Number(signed ? buffer.readBigInt64LE(at) : buffer.readBigUInt64LE(at));
}

function readVlen(cursor: Cursor, bits: number, size: number, depth: number): StoredType {
  const base = readType(cursor, depth + 1);
  const stored = 8 + cursor.widths.address;
  if (size !== stored) {
    throw new Hdf5Error(
      "corrupt",
      `${cursor.what}: a variable-length type of ${size} bytes, expected ${stored}`,
    );
  }
  if ((bits & 15) === 1) return { kind: "vlen-string", size, utf8: ((bits >> 8) & 15) === 1 };
  return { kind: "vlen", size, base };
}

function readArray(cursor: Cursor, version: number, size: number, depth: number): StoredType {
  const rank = cursor.u8();
  if (version < 3) cursor.skip(3);
  const dims = Array.from({ length: rank }, () => cursor.u32());
  if (version < 3) cursor.skip(4 * rank);
  const type = arrayOf(cursor, readType(cursor, depth + 1), dims);
  if (type.size !== size) {
    throw new Hdf5Error("corrupt", `${cursor.what}: an array of ${type.size} bytes says it has ${size}`);
  }
  return type;
}

function arrayOf(cursor: Cursor, base: StoredType, dims: number[]): StoredType {
  const size = dims.reduce((product, dim) => product * dim, base.size);
  if (dims.length === 0 || dims.length > 32 || !(size > 0 && size <= 0xffff_ffff)) {
    throw new Hdf5Error("corrupt", `${cursor.what}: an array of shape [${dims}]`);
  }
  return { kind: "array", size, dims, base };
}

/** What callers see. */
export function publicType(type: StoredType): H5Type {
  switch (type.kind) {
    case "int":
      return { kind: "int", size: type.size as IntSize, signed: type.signed };
    case "float":
      return { kind: "float", size: type.size as 2 | 4 | 8 };
    case "string":
      return { kind: "string", size: type.size, utf8: type.utf8 };
    case "vlen-string":
      return { kind: "string", size: "variable", utf8: type.utf8 };
    case "enum": {
      const base = { kind: "int", size: type.size as IntSize, signed: type.base.signed } as const;
      return { kind: "enum", base, members: type.members };
    }
    case "compound": {
      const members = type.members.map(({ name, offset, type: member }) => ({
        name,
        offset,
        type: publicType(member),
      }));
      return { kind: "compound", size: type.size, members };
    }
    case "array":
      return { kind: "array", size: type.size, dims: type.dims, base: publicType(type.base) };
    case "vlen":
      return { kind: "vlen", size: type.size, base: publicType(type.base) };
    default:
      return type;
  }
}

/** Big-endian numbers, as DatasetInfo tells it. */
export function isBigEndian(type: StoredType): boolean {
  if (type.kind === "enum") return isBigEndian(type.base);
  return (type.kind === "int" || type.kind === "float") && type.size > 1 && type.bigEndian;
}
