import { canonicalRows } from "./canonical.ts";
import { AnnDataError } from "./errors.ts";
import { batchesOf, checkRange, type MatrixAxes, valueArray, valueDtype } from "./matrix.ts";
import { takeRows } from "./rows.ts";
import { plainNumbers } from "./source.ts";
import type { ArrayInfo, Source } from "./storage.ts";
import type { CsrRows, Matrix } from "./types.ts";

/** The three arrays of a CSR or CSC group; "major" is the axis that indptr runs along. */
interface Arrays {
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

/** Entries read at a time while a CSC matrix is turned round. */
const turnEntries = 4 * 1024 * 1024;

export function openCompressed(
  source: Source,
  where: string,
  format: "csr" | "csc",
  axes: MatrixAxes,
  maxBytes: number,
): Matrix {
  const byRow = format === "csr";
  const major = byRow ? axes.rows : axes.columns;
  const arrays = openArrays(
    source,
    where,
    major,
    byRow ? axes.columns : axes.rows,
    byRow ? axes.columnsSay : `obs has ${axes.rows} cells`,
  );
  // A CSC matrix is turned round once and kept: reading it by rows any other way costs a pass over the file per batch.
  let turned: CsrRows | undefined;
  const matrix: Matrix = {
    format,
    dtype: arrays.dtype,
    shape: [axes.rows, axes.columns],
    nnz: arrays.nnz,
    batches: (batchRows) => batchesOf(matrix, batchRows),
    rows: (start, end) => {
      checkRange(where, axes.rows, start, end);
      if (byRow) return canonicalRows(readMajor(arrays, start, end, maxBytes));
      turned ??= turn(arrays, axes, maxBytes);
      if (start === 0 && end === axes.rows) return turned;
      return takeRows(
        turned,
        Int32Array.from({ length: end - start }, (_, i) => start + i),
      );
    },
  };
  return matrix;
}

function openArrays(source: Source, where: string, major: number, minor: number, minorSays: string): Arrays {
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
  return {
    source,
    where,
    indptr,
    indices,
    data,
    dtype: valueDtype(data.type, `${where}/data`),
    nnz,
    minor,
    minorSays,
  };
}

/** Offsets of majors `start` to `end`, checked: rising, within the arrays, and zero to nnz at the ends. */
function readOffsets(arrays: Arrays, start: number, end: number): ArrayLike<number> {
  const where = `${arrays.where}/indptr`;
  const offsets = plainNumbers(arrays.source.read(arrays.indptr, start, end + 1), where);
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

/** Entries `from` to `to` with their minor index checked. */
function readEntries(
  arrays: Arrays,
  from: number,
  to: number,
): { indices: Int32Array; data: Float32Array | Float64Array } {
  const where = `${arrays.where}/indices`;
  const raw = plainNumbers(arrays.source.read(arrays.indices, from, to), where);
  const indices = raw instanceof Int32Array ? raw : new Int32Array(raw.length);
  for (let i = 0; i < raw.length; i++) {
    const index = raw[i]!;
    if (!(index >= 0 && index < arrays.minor)) {
      throw new AnnDataError("invalid", `${where}[${from + i}] = ${index} but ${arrays.minorSays}`);
    }
    indices[i] = index;
  }
  const values = plainNumbers(arrays.source.read(arrays.data, from, to), `${arrays.where}/data`);
  const data =
    valueArray(arrays.dtype, 0).constructor === values.constructor
      ? values
      : valueArray(arrays.dtype, values.length);
  if (data !== values) data.set(values);
  return { indices, data: data as Float32Array | Float64Array };
}

function entryBytes(arrays: Arrays): number {
  return 4 + valueArray(arrays.dtype, 0).BYTES_PER_ELEMENT;
}

function readMajor(arrays: Arrays, start: number, end: number, maxBytes: number): CsrRows {
  const offsets = readOffsets(arrays, start, end);
  const from = offsets[0]!;
  const to = offsets[offsets.length - 1]!;
  const bytes = (to - from) * entryBytes(arrays);
  if (bytes > maxBytes) {
    throw new AnnDataError(
      "too-large",
      `${arrays.where}: rows ${start} to ${end} take ${bytes} bytes, the limit is ${maxBytes}; ask for fewer`,
    );
  }
  const { indices, data } = readEntries(arrays, from, to);
  return {
    nRows: end - start,
    nCols: arrays.minor,
    indptr: Float64Array.from(offsets, (offset) => offset - from),
    indices,
    data,
  };
}

/** CSC → CSR by counting sort: columns are visited in order, so every row comes out sorted. */
function turn(arrays: Arrays, axes: MatrixAxes, maxBytes: number): CsrRows {
  const bytes = arrays.nnz * entryBytes(arrays) + (axes.rows + 1) * 16;
  if (bytes > maxBytes) {
    throw new AnnDataError(
      "too-large",
      `${arrays.where} is stored by column (CSC); turning it round takes ${bytes} bytes, the limit is ${maxBytes}. ` +
        "Raise maxBytes, or save it by row: adata.X = adata.X.tocsr()",
    );
  }
  const offsets = readOffsets(arrays, 0, axes.columns);
  const indptr = countRows(arrays, axes.rows);
  const next = indptr.slice(0, axes.rows);
  const indices = new Int32Array(arrays.nnz);
  const data = valueArray(arrays.dtype, arrays.nnz);
  let column = 0;
  for (let from = 0; from < arrays.nnz; from += turnEntries) {
    const block = readEntries(arrays, from, Math.min(arrays.nnz, from + turnEntries));
    for (let i = 0; i < block.indices.length; i++) {
      while (offsets[column + 1]! <= from + i) column++;
      const at = next[block.indices[i]!]!++;
      indices[at] = column;
      data[at] = block.data[i]!;
    }
  }
  return canonicalRows({ nRows: axes.rows, nCols: axes.columns, indptr, indices, data });
}

function countRows(arrays: Arrays, rows: number): Float64Array {
  const indptr = new Float64Array(rows + 1);
  const where = `${arrays.where}/indices`;
  for (let from = 0; from < arrays.nnz; from += turnEntries) {
    const block = plainNumbers(
      arrays.source.read(arrays.indices, from, Math.min(arrays.nnz, from + turnEntries)),
      where,
    );
    for (let i = 0; i < block.length; i++) {
      const row = block[i]!;
      if (!(row >= 0 && row < rows)) {
        throw new AnnDataError("invalid", `${where}[${from + i}] = ${row} but ${arrays.minorSays}`);
      }
      indptr[row + 1]!++;
    }
  }
  for (let row = 0; row < rows; row++) indptr[row + 1]! += indptr[row]!;
  return indptr;
}
