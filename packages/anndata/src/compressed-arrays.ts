import { AnnDataError } from "./errors.ts";
import { valueArray, valueDtype } from "./matrix.ts";
import { plainNumbers } from "./source.ts";
import type { ArrayInfo, Source, Values } from "./storage.ts";

/** The three arrays of a CSR or CSC group; "major" is the axis that indptr runs along. */
export interface CompressedArrays {
  source: Source;
  where: string;
  indptr: ArrayInfo;
  indices: ArrayInfo;
  data: ArrayInfo;
  dtype: string;
  nnz: number;
  minor: number;
  minorSays: string;
}

/** @throws AnnDataError "invalid" | "unsupported" when the lengths of the arrays contradict each other or the axes */
export function openArrays(
  source: Source,
  where: string,
  major: number,
  minor: number,
  minorSays: string,
): CompressedArrays {
  const [indptr, indices, data] = ["indptr", "indices", "data"].map((name) => {
    const info = source.dataset(`${where}/${name}`);
    if (info.shape?.length !== 1) {
      throw new AnnDataError(
        "invalid",
        `${where}/${name} has shape [${info.shape ?? "none"}], expected one axis`,
      );
    }
    return info;
  }) as [ArrayInfo, ArrayInfo, ArrayInfo];
  const nnz = data.shape![0]!;
  if (indices.shape![0] !== nnz) {
    throw new AnnDataError(
      "invalid",
      `${where}/indices has ${indices.shape![0]} entries, ${where}/data has ${nnz}`,
    );
  }
  if (indptr.shape![0] !== major + 1) {
    throw new AnnDataError(
      "invalid",
      `${where}/indptr has ${indptr.shape![0]} entries, expected ${major + 1}`,
    );
  }
  const dtype = valueDtype(data.type, `${where}/data`);
  return { source, where, indptr, indices, data, dtype, nnz, minor, minorSays };
}

/** Offsets of majors `start` to `end`, checked: rising, within the arrays, and zero to nnz at the ends. */
export function readOffsets(arrays: CompressedArrays, start: number, end: number): ArrayLike<number> {
  return checkOffsets(arrays, start, arrays.source.read(arrays.indptr, start, end + 1));
}

export function checkOffsets(arrays: CompressedArrays, start: number, values: Values): ArrayLike<number> {
  const where = `${arrays.where}/indptr`;
  const offsets = plainNumbers(values, where);
  const last = arrays.indptr.shape![0]! - 1;
  for (let i = 0; i < offsets.length; i++) {
    const offset = offsets[i]!;
    const before = i === 0 ? 0 : offsets[i - 1]!;
    if (!(Number.isInteger(offset) && offset >= before)) {
      throw new AnnDataError(
        "invalid",
        `${where}[${start + i}] = ${offset} after ${before}: offsets must not fall`,
      );
    }
    const wanted = start + i === 0 ? 0 : start + i === last ? arrays.nnz : offset;
    if (offset > arrays.nnz || offset !== wanted) {
      throw new AnnDataError(
        "invalid",
        `${where}[${start + i}] = ${offset}, but there are ${arrays.nnz} entries`,
      );
    }
  }
  return offsets;
}

/** Minor indices of entries `from` to `to`, checked. */
export function readIndices(arrays: CompressedArrays, from: number, to: number): Int32Array {
  return checkIndices(arrays, from, arrays.source.read(arrays.indices, from, to));
}

export function checkIndices(arrays: CompressedArrays, from: number, values: Values): Int32Array {
  const where = `${arrays.where}/indices`;
  const raw = values instanceof Int32Array ? values : plainNumbers(values, where);
  const indices = raw instanceof Int32Array ? raw : new Int32Array(raw.length);
  const { minor } = arrays;
  if (raw instanceof Int32Array && allBelow(raw, minor)) return raw;
  for (let i = 0; i < raw.length; i++) {
    const index = raw[i]!;
    if (!(index >= 0 && index < minor && (index | 0) === index)) {
      throw new AnnDataError("invalid", `${where}[${from + i}] = ${index} but ${arrays.minorSays}`);
    }
    indices[i] = index;
  }
  return indices;
}

/** Whether all are from 0 to below `end`: the sign tells, without a branch for each. */
function allBelow(indices: Int32Array, end: number): boolean {
  if (end > 2 ** 31) return indices.every((index) => index >= 0);
  const last = (end - 1) | 0;
  let signs = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    signs = signs | index | ((last - index) | 0);
  }
  return signs >= 0;
}

export function readValues(
  arrays: CompressedArrays,
  from: number,
  to: number,
  into?: Uint8Array<ArrayBuffer>,
): Float32Array | Float64Array {
  return toValues(arrays, arrays.source.read(arrays.data, from, to, into));
}

export function toValues(arrays: CompressedArrays, read: Values): Float32Array | Float64Array {
  const values = plainNumbers(read, `${arrays.where}/data`);
  const wide = valueArray(arrays.dtype, 0) instanceof Float64Array;
  if (wide) return values instanceof Float64Array ? values : Float64Array.from(values);
  return values instanceof Float32Array ? values : Float32Array.from(values);
}

/** Bytes of one entry in memory: its index and its value. */
export function entryBytes(arrays: CompressedArrays): number {
  return 4 + valueArray(arrays.dtype, 0).BYTES_PER_ELEMENT;
}
