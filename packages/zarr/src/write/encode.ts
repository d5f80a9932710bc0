import { toHalves } from "@cytomesh/codecs";
import { encodeVariable } from "../codecs/variable.ts";
import { ZarrError } from "../errors.ts";
import { elementBytes } from "../meta/type.ts";
import type { Json, ZarrNumbers, ZarrType, ZarrValues } from "../types.ts";

/** How a type stands in zarr.json. */
export interface StoredAs {
  dataType: Json;
  fillValue: Json;
  /** The codec from elements to bytes. */
  serializer: Json;
}

/** @throws ZarrError "unsupported" for types that zarr-python has no agreed name for */
export function storedAs(type: ZarrType, where: string): StoredAs {
  const little = { name: "bytes", configuration: { endian: "little" } };
  switch (type.kind) {
    case "bool":
      return { dataType: "bool", fillValue: false, serializer: { name: "bytes" } };
    case "int":
      return {
        dataType: `${type.signed ? "int" : "uint"}${type.size * 8}`,
        fillValue: 0,
        serializer: type.size === 1 ? { name: "bytes" } : little,
      };
    case "float":
      return { dataType: `float${type.size * 8}`, fillValue: 0, serializer: little };
    case "complex":
      return { dataType: `complex${type.size * 8}`, fillValue: [0, 0], serializer: little };
    case "string":
      return { dataType: "string", fillValue: "", serializer: { name: "vlen-utf8", configuration: {} } };
    case "fixed-string":
      return {
        dataType: { name: "fixed_length_utf32", configuration: { length_bytes: type.size * 4 } },
        fillValue: "",
        serializer: little,
      };
    case "struct":
      return {
        dataType: {
          name: "structured",
          configuration: {
            fields: type.fields.map((field) => [field.name, storedAs(field.type, where).dataType]),
          },
        },
        fillValue: Buffer.alloc(type.size).toString("base64"),
        serializer: { name: "bytes" },
      };
    default:
      throw new ZarrError("unsupported", `${where}: arrays of ${type.kind} are not written`);
  }
}

/** Values of `count` elements as the bytes that go into the compressor. Only for types of fixed size. */
export function encodeFixed(values: ZarrValues, type: ZarrType, count: number, where: string): Uint8Array {
  switch (type.kind) {
    case "struct":
      return encodeStruct(values, type, count, where);
    case "fixed-string":
      return encodeText(values, type.size, count, where);
    default: {
      const numbers = checkNumbers(values, type, count, where);
      return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    }
  }
}

export function encodeStrings(values: readonly string[]): Uint8Array {
  return encodeVariable(values);
}

function checkNumbers(values: ZarrValues, type: ZarrType, count: number, where: string): ZarrNumbers {
  if (!ArrayBuffer.isView(values))
    throw new ZarrError("invalid-argument", `${where}: numbers expected for ${type.kind}`);
  const numbers = type.kind === "float" && type.size === 2 ? toHalves(values as Float32Array) : values;
  const bytes = elementBytes(type)! * count;
  if (numbers.byteLength === bytes) return numbers;
  throw new ZarrError(
    "invalid-argument",
    `${where}: ${numbers.byteLength} bytes for ${count} elements, expected ${bytes}`,
  );
}

function encodeText(values: ZarrValues, size: number, count: number, where: string): Uint8Array {
  const strings = checkStrings(values, count, where);
  const view = new DataView(new ArrayBuffer(count * size * 4));
  for (const [i, value] of strings.entries()) {
    let at = 0;
    for (const point of value) {
      if (at === size)
        throw new ZarrError("invalid-argument", `${where}[${i}] has more than ${size} characters`);
      view.setUint32((i * size + at++) * 4, point.codePointAt(0)!, true);
    }
  }
  return new Uint8Array(view.buffer);
}

/** @throws ZarrError "invalid-argument" for anything but `count` strings that UTF-8 can hold */
export function checkStrings(values: ZarrValues, count: number, where: string): string[] {
  if (
    !Array.isArray(values) ||
    values.length !== count ||
    !values.every((value) => typeof value === "string")
  )
    throw new ZarrError("invalid-argument", `${where}: ${count} strings expected`);
  const broken = values.findIndex((value) => !value.isWellFormed());
  if (broken < 0) return values;
  throw new ZarrError(
    "invalid-argument",
    `${where}: string ${broken} has half of a surrogate pair, which UTF-8 cannot hold`,
  );
}

function encodeStruct(
  values: ZarrValues,
  type: Extract<ZarrType, { kind: "struct" }>,
  count: number,
  where: string,
): Uint8Array {
  if (!(values instanceof Map))
    throw new ZarrError("invalid-argument", `${where}: fields of a struct expected`);
  const out = new Uint8Array(count * type.size);
  for (const field of type.fields) {
    const column = values.get(field.name);
    if (column === undefined) throw new ZarrError("invalid-argument", `${where} has no field ${field.name}`);
    if (field.shape.length > 0)
      throw new ZarrError("unsupported", `${where}.${field.name}: arrays inside structs`);
    const bytes = encodeFixed(column, field.type, count, `${where}.${field.name}`);
    const size = elementBytes(field.type)!;
    for (let i = 0; i < count; i++)
      out.set(bytes.subarray(i * size, (i + 1) * size), i * type.size + field.offset);
  }
  return out;
}
