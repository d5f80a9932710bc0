import { toHalves } from "@cytomesh/codecs";
import { Hdf5Error } from "../errors.ts";
import type { DatasetValues, H5Numbers, H5Type } from "../types.ts";
import { diskBytes } from "./encode-type.ts";
import type { FileSpace } from "./file-space.ts";
import { writeStrings } from "./string-heap.ts";

/** Values as they stand in the file. Arrays must hold exactly the elements of `count`. */
export function encodeValues(
  space: FileSpace,
  type: H5Type,
  values: DatasetValues,
  count: number,
  where: string,
): Uint8Array {
  const bytes = encodeAny(space, type, values, count, where);
  if (bytes.length !== count * diskBytes(type)) {
    const found = bytes.length / Math.max(1, diskBytes(type));
    throw new Hdf5Error("invalid-argument", `${where}: the shape has ${count} elements, ${found} were given`);
  }
  return bytes;
}

/** Elements of the type that the values hold. */
export function valueCount(type: H5Type, values: DatasetValues): number {
  if (values instanceof Map && type.kind === "compound") {
    const first = type.members[0];
    const column = first === undefined ? undefined : values.get(first.name);
    return column === undefined ? 0 : valueCount(first!.type, column);
  }
  const { length } = values as H5Numbers | readonly string[];
  return type.kind === "array" ? length / type.dims.reduce((product, dim) => product * dim, 1) : length;
}

/** The bytes may be those of `values` themselves. */
export function encodeAny(
  space: FileSpace,
  type: H5Type,
  values: DatasetValues,
  count: number,
  where: string,
): Uint8Array {
  if (type.kind === "compound") {
    if (!(values instanceof Map))
      throw new Hdf5Error("invalid-argument", `${where}: a compound needs a map of columns`);
    return encodeCompound(space, type, values, count, where);
  }
  if (type.kind === "string") {
    if (!Array.isArray(values)) throw new Hdf5Error("invalid-argument", `${where}: strings expected`);
    return type.size === "variable"
      ? writeStrings(space, values, where)
      : fixedStrings(values, type.size, where);
  }
  if (!ArrayBuffer.isView(values))
    throw new Hdf5Error("invalid-argument", `${where}: a typed array is expected`);
  const array = halves(type, values as H5Numbers);
  const element = type.kind === "array" ? type.base : type;
  if (array.BYTES_PER_ELEMENT !== diskBytes(element)) {
    throw new Hdf5Error("invalid-argument", `${where}: ${array.constructor.name} does not fit the type`);
  }
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** 16-bit floats come as they are read: as Float32Array. */
function halves(type: H5Type, values: H5Numbers): H5Numbers {
  return type.kind === "float" && type.size === 2 && values instanceof Float32Array
    ? toHalves(values)
    : values;
}

function fixedStrings(values: readonly string[], size: number, where: string): Uint8Array {
  const out = Buffer.alloc(values.length * size);
  values.forEach((value, i) => {
    if (Buffer.byteLength(value) > size) {
      throw new Hdf5Error("invalid-argument", `${where}: string ${i} is longer than ${size} bytes`);
    }
    out.write(value, i * size, size);
  });
  return out;
}

function encodeCompound(
  space: FileSpace,
  type: Extract<H5Type, { kind: "compound" }>,
  columns: ReadonlyMap<string, H5Numbers | readonly string[]>,
  rows: number,
  where: string,
): Uint8Array {
  const out = new Uint8Array(rows * type.size);
  for (const member of type.members) {
    const column = columns.get(member.name);
    if (column === undefined)
      throw new Hdf5Error("invalid-argument", `${where}: column ${member.name} is missing`);
    const size = diskBytes(member.type);
    const bytes = encodeValues(space, member.type, column, rows, `${where}.${member.name}`);
    for (let i = 0; i < rows; i++)
      out.set(bytes.subarray(i * size, (i + 1) * size), i * type.size + member.offset);
  }
  return out;
}
