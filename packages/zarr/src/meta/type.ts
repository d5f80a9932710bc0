import { ZarrError } from "../errors.ts";
import type { Json, ZarrField, ZarrType } from "../types.ts";
import { field, isObject, show } from "./json.ts";

export interface StoredType {
  type: ZarrType;
  bigEndian: boolean;
}

const limits = { fields: 1_000, elementBytes: 1 << 24 };

/** numpy's dtype strings and record lists, as .zarray holds them. "|O" needs `objects`, what the filters make of it. */
export function parseTypeV2(dtype: Json, objects: "string" | "bytes" | undefined, where: string): StoredType {
  if (Array.isArray(dtype)) return { type: parseStruct(dtype, where), bigEndian: false };
  if (typeof dtype !== "string") throw bad(dtype, where);
  const match = /^([<>|=])([a-zA-Z])(\d*)(?:\[(.*)\])?$/.exec(dtype);
  if (match === null) throw bad(dtype, where);
  const [, order, code, digits] = match;
  const size = Number(digits || 0);
  const bigEndian = order === ">";
  const plain = numberType(code!, size);
  if (plain !== undefined) return { type: plain, bigEndian };
  checkElement(code === "U" ? size * 4 : size, where);
  if (code === "U") return { type: { kind: "fixed-string", size }, bigEndian };
  if (code === "S") return { type: { kind: "fixed-bytes", size, text: true }, bigEndian: false };
  if (code === "V") return { type: { kind: "fixed-bytes", size, text: false }, bigEndian: false };
  if ((code === "M" || code === "m") && size === 8) {
    const what = code === "M" ? "datetime" : "timedelta";
    return { type: { kind: "time", what, unit: match[4] ?? "generic" }, bigEndian };
  }
  if (code === "O" && objects !== undefined) return { type: { kind: objects }, bigEndian: false };
  if (code === "O") {
    throw new ZarrError("unsupported", `${where}: objects without a vlen-utf8 or vlen-bytes filter`);
  }
  throw bad(dtype, where);
}

function numberType(code: string, size: number): ZarrType | undefined {
  if (code === "b" && size === 1) return { kind: "bool" };
  if ((code === "i" || code === "u") && (size === 1 || size === 2 || size === 4 || size === 8)) {
    return { kind: "int", size, signed: code === "i" };
  }
  if (code === "f" && (size === 2 || size === 4 || size === 8)) return { kind: "float", size };
  if (code === "c" && (size === 8 || size === 16)) return { kind: "complex", size };
  return undefined;
}

function parseStruct(list: readonly Json[], where: string): ZarrType {
  if (list.length === 0 || list.length > limits.fields) throw bad(`${list.length} fields`, where);
  const fields: ZarrField[] = [];
  let offset = 0;
  for (const entry of list) {
    if (!Array.isArray(entry) || typeof entry[0] !== "string" || entry[1] === undefined)
      throw bad(entry as Json, where);
    const { type, bigEndian } = parseTypeV2(entry[1], undefined, where);
    const shape = entry[2] === undefined ? [] : fieldShape(entry[2], where);
    fields.push({ name: entry[0], offset, type, bigEndian, shape });
    offset += elementBytes(type)! * shape.reduce((product, dim) => product * dim, 1);
    checkElement(offset, where);
  }
  return { kind: "struct", size: offset, fields };
}

function fieldShape(value: Json, where: string): number[] {
  const dims = Array.isArray(value) ? value : [value];
  if (dims.every((dim): dim is number => Number.isSafeInteger(dim) && (dim as number) >= 0)) return dims;
  throw bad(value, where);
}

/** Data types of the v3 specification and of zarr-python's extensions. */
export function parseTypeV3(value: Json, where: string): ZarrType {
  const name = isObject(value) ? field(value, "name") : value;
  const given = isObject(value) ? field(value, "configuration") : undefined;
  const config = isObject(given) ? given : {};
  if (typeof name !== "string") throw bad(value, where);
  const simple = v3Types[name];
  if (simple !== undefined) return simple;
  const raw = /^r(\d+)$/.exec(name);
  if (raw !== null && Number(raw[1]) % 8 === 0) return fixed(Number(raw[1]) / 8, false, where);
  const bytes = Number(field(config, "length_bytes"));
  if (name === "fixed_length_utf32" && Number.isSafeInteger(bytes / 4) && bytes >= 0) {
    checkElement(bytes, where);
    return { kind: "fixed-string", size: bytes / 4 };
  }
  if (name === "null_terminated_bytes") return fixed(bytes, true, where);
  if (name === "raw_bytes") return fixed(bytes, false, where);
  if (name === "numpy.datetime64" || name === "numpy.timedelta64") {
    const what = name === "numpy.datetime64" ? "datetime" : "timedelta";
    return {
      kind: "time",
      what,
      unit: `${field(config, "scale_factor") ?? 1}${field(config, "unit") ?? "generic"}`,
    };
  }
  if (name === "struct" || name === "structured") return structV3(field(config, "fields"), where);
  throw bad(value, where);
}

const v3Types: Record<string, ZarrType> = Object.assign(Object.create(null), {
  bool: { kind: "bool" },
  int8: { kind: "int", size: 1, signed: true },
  int16: { kind: "int", size: 2, signed: true },
  int32: { kind: "int", size: 4, signed: true },
  int64: { kind: "int", size: 8, signed: true },
  uint8: { kind: "int", size: 1, signed: false },
  uint16: { kind: "int", size: 2, signed: false },
  uint32: { kind: "int", size: 4, signed: false },
  uint64: { kind: "int", size: 8, signed: false },
  float16: { kind: "float", size: 2 },
  float32: { kind: "float", size: 4 },
  float64: { kind: "float", size: 8 },
  complex64: { kind: "complex", size: 8 },
  complex128: { kind: "complex", size: 16 },
  string: { kind: "string" },
  bytes: { kind: "bytes" },
  variable_length_bytes: { kind: "bytes" },
});

function structV3(list: Json | undefined, where: string): ZarrType {
  if (!Array.isArray(list) || list.length === 0 || list.length > limits.fields)
    throw bad(list ?? null, where);
  const fields: ZarrField[] = [];
  let offset = 0;
  for (const entry of list) {
    const [name, inner] = Array.isArray(entry)
      ? entry
      : isObject(entry)
        ? [field(entry, "name"), field(entry, "data_type")]
        : [];
    if (typeof name !== "string" || inner === undefined) throw bad(entry as Json, where);
    const type = parseTypeV3(inner, where);
    const size = elementBytes(type);
    if (size === undefined || type.kind === "struct") throw bad(inner, where);
    fields.push({ name, offset, type, bigEndian: false, shape: [] });
    offset += size;
    checkElement(offset, where);
  }
  return { kind: "struct", size: offset, fields };
}

function fixed(size: number, text: boolean, where: string): ZarrType {
  if (!Number.isSafeInteger(size) || size < 0) throw bad(`${size} bytes`, where);
  checkElement(size, where);
  return { kind: "fixed-bytes", size, text };
}

function checkElement(bytes: number, where: string): void {
  if (bytes <= limits.elementBytes) return;
  throw new ZarrError(
    "too-large",
    `${where}: elements of ${bytes} bytes, the limit is ${limits.elementBytes}`,
  );
}

/** Bytes of one element; undefined for variable length. */
export function elementBytes(type: ZarrType): number | undefined {
  if (type.kind === "bool") return 1;
  if (type.kind === "time") return 8;
  if (type.kind === "fixed-string") return type.size * 4;
  if (type.kind === "string" || type.kind === "bytes") return undefined;
  return type.size;
}

/** Bytes that are reversed together when the order differs. */
export function swapUnit(type: ZarrType): number {
  if (type.kind === "int" || type.kind === "float") return type.size;
  if (type.kind === "complex") return type.size / 2;
  if (type.kind === "time") return 8;
  return type.kind === "fixed-string" ? 4 : 1;
}

function bad(found: Json, where: string): ZarrError {
  return new ZarrError("unsupported", `${where}: data type ${show(found)} is not one that is read`);
}
