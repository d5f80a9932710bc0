import type { H5Numbers, H5Type, H5Writer } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import type { NumberArray, NumberDtype } from "./types.ts";

/** How arrays are stored; undefined = contiguous, uncompressed. */
export type Deflate = { level: number } | undefined;

export const booleanType: H5Type = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};
const stringType: H5Type = { kind: "string", size: "variable", utf8: true };

export function encoding(out: H5Writer, where: string, type: string, version: string): void {
  out.attribute(where, "encoding-type", type);
  out.attribute(where, "encoding-version", version);
}

export function dict(out: H5Writer, where: string): void {
  out.group(where);
  encoding(out, where, "dict", "0.1.0");
}

export function writeArray(
  out: H5Writer,
  where: string,
  type: H5Type,
  shape: readonly number[],
  values: H5Numbers,
  deflate: Deflate,
): void {
  out.dataset(where, { type, shape, ...(deflate === undefined ? {} : { deflate }) }, values);
  encoding(out, where, "array", "0.2.0");
}

export function writeStringArray(
  out: H5Writer,
  where: string,
  values: readonly string[],
  deflate: Deflate,
): void {
  out.dataset(
    where,
    { type: stringType, shape: [values.length], ...(deflate === undefined ? {} : { deflate }) },
    values,
  );
  encoding(out, where, "string-array", "0.2.0");
}

/** A slash would make a group of its own; HDF5 has no way to write it. */
export function checkKey(where: string, key: string): void {
  if (key !== "" && key !== "." && !key.includes("/") && !key.includes("\0")) return;
  throw new AnnDataError(
    "invalid-argument",
    `${where}: the name ${JSON.stringify(key)} cannot be stored; rename it without "/"`,
  );
}

export function dtypeType(dtype: NumberDtype): H5Type {
  const bytes = (Number(/\d+$/.exec(dtype)![0]) / 8) as 1 | 2 | 4 | 8;
  if (dtype.startsWith("float")) return { kind: "float", size: bytes as 4 | 8 };
  return { kind: "int", size: bytes, signed: dtype.startsWith("int") };
}

/** Values in the array type that `dtype` has on disk; integers that do not fit are refused. */
export function convertNumbers(values: NumberArray, dtype: NumberDtype, where: string): H5Numbers {
  const make = arrayTypes[dtype];
  if (values.constructor === make) return values;
  if (dtype === "float32" || dtype === "float64") return new (make as typeof Float64Array)(values);
  const out: H5Numbers = new make(values.length);
  const [low, high] = integerRange(dtype);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!(Number.isInteger(value) && value >= low && value <= high)) {
      throw new AnnDataError("invalid-argument", `${where}[${i}] = ${value} does not fit ${dtype}`);
    }
    out[i] = out instanceof BigInt64Array || out instanceof BigUint64Array ? BigInt(value) : value;
  }
  return out;
}

const arrayTypes = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** 64-bit integers come as numbers, so only the exact ones count. */
function integerRange(dtype: NumberDtype): [number, number] {
  const bits = Math.min(Number(/\d+$/.exec(dtype)![0]), 54);
  return dtype.startsWith("u")
    ? [0, Math.min(2 ** bits, 2 ** 53) - 1]
    : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}
