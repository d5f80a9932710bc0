import type { H5Numbers } from "@cytomesh/hdf5";
import { AnnDataError } from "./errors.ts";
import type { ValueType } from "./storage.ts";
import type { NumberArray, NumberDtype } from "./types.ts";

/** How HDF5 files of h5py hold true and false. */
export const booleanType: ValueType = {
  kind: "enum",
  base: { kind: "int", size: 1, signed: true },
  members: { FALSE: 0, TRUE: 1 },
};

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

export function dtypeType(dtype: NumberDtype): ValueType {
  const bytes = (Number(/\d+$/.exec(dtype)![0]) / 8) as 1 | 2 | 4 | 8;
  if (dtype.startsWith("float")) return { kind: "float", size: bytes as 4 | 8 };
  return { kind: "int", size: bytes, signed: dtype.startsWith("int") };
}

/** dtype that an array in memory has. */
export function dtypeOfArray(array: NumberArray): NumberDtype {
  const found = Object.entries(arrayTypes).find(([, type]) => array instanceof type);
  if (found === undefined) throw new AnnDataError("invalid-argument", "expected a typed array of numbers");
  return found[0] as NumberDtype;
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

/** 64-bit integers come as numbers, so only the exact ones count. */
function integerRange(dtype: NumberDtype): [number, number] {
  const bits = Math.min(Number(/\d+$/.exec(dtype)![0]), 54);
  return dtype.startsWith("u")
    ? [0, Math.min(2 ** bits, 2 ** 53) - 1]
    : [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
}
