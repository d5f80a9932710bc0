import { Hdf5Error } from "../errors.ts";
import type { H5Member, H5Type } from "../types.ts";
import { ByteWriter } from "./byte-writer.ts";

/** A variable-length string on disk: length, heap address, heap index. */
export const vlenBytes = 16;

/** Bytes of one element on disk. */
export function diskBytes(type: H5Type): number {
  switch (type.kind) {
    case "string":
      return type.size === "variable" ? vlenBytes : type.size;
    case "enum":
      return type.base.size;
    case "other":
      throw new Hdf5Error("unsupported", `cannot write the type ${type.description}`);
    default:
      return type.size;
  }
}

/** Datatype message, little-endian types only. Source: HDF5 file format specification 3.0, IV.A.2.d. */
export function encodeType(type: H5Type): Buffer {
  const out = new ByteWriter();
  switch (type.kind) {
    case "int":
      return header(out, 1, 0, type.signed ? 0x08 : 0, type.size)
        .u16(0)
        .u16(type.size * 8)
        .bytes();
    case "float":
      return encodeFloat(out, type.size).bytes();
    case "string":
      return encodeString(out, type).bytes();
    case "enum":
      return encodeEnum(out, type).bytes();
    case "compound":
      return encodeCompound(out, type.size, type.members).bytes();
    case "array":
      header(out, 3, 10, 0, type.size).u8(type.dims.length);
      for (const dim of type.dims) out.u32(dim);
      return out.raw(encodeType(type.base)).bytes();
    default: {
      const name = type.kind === "other" ? type.description : type.kind;
      throw new Hdf5Error("unsupported", `cannot write the type ${name}`);
    }
  }
}

function header(out: ByteWriter, version: number, typeClass: number, bits: number, size: number): ByteWriter {
  return out
    .u8((version << 4) | typeClass)
    .uint(bits, 3)
    .u32(size);
}

function encodeFloat(out: ByteWriter, size: 2 | 4 | 8): ByteWriter {
  const [exponentAt, exponentBits, bias] = { 2: [10, 5, 15], 4: [23, 8, 127], 8: [52, 11, 1023] }[size] as [
    number,
    number,
    number,
  ];
  // Bits: mantissa's top bit is implied (0x20), position of the sign in the second byte.
  header(out, 1, 1, 0x20 | ((size * 8 - 1) << 8), size);
  return out
    .u16(0)
    .u16(size * 8)
    .u8(exponentAt, exponentBits, 0, exponentAt)
    .u32(bias);
}

function encodeString(out: ByteWriter, type: Extract<H5Type, { kind: "string" }>): ByteWriter {
  const charset = type.utf8 ? 1 : 0;
  if (type.size !== "variable") return header(out, 1, 3, 1 | (charset << 4), type.size);
  header(out, 1, 9, 1 | (charset << 8), vlenBytes);
  return out.raw(encodeType({ kind: "int", size: 1, signed: false }));
}

function encodeEnum(out: ByteWriter, type: Extract<H5Type, { kind: "enum" }>): ByteWriter {
  const members = Object.entries(type.members);
  header(out, 3, 8, members.length, type.base.size).raw(encodeType(type.base));
  for (const [name] of members) out.raw(Buffer.from(`${name}\0`));
  for (const [, value] of members)
    out.uint(value < 0 ? value + 256 ** type.base.size : value, type.base.size);
  return out;
}

function encodeCompound(out: ByteWriter, size: number, members: readonly H5Member[]): ByteWriter {
  header(out, 3, 6, members.length, size);
  const offsetBytes = Math.floor(Math.log2(Math.max(1, size)) / 8) + 1;
  for (const member of members) {
    out
      .raw(Buffer.from(`${member.name}\0`))
      .uint(member.offset, offsetBytes)
      .raw(encodeType(member.type));
  }
  return out;
}
