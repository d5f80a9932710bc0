import { AnnDataError } from "./errors.ts";
import { batchesOf } from "./matrix.ts";
import type { Column, CsrRows, DataFrame, Entries, FrameInput, Matrix } from "./types.ts";

/** Where 10x and scanpy keep what a feature is. */
const typeColumns = ["feature_types", "feature_type"];
const geneExpression = "Gene Expression";

/**
 * Positions of the genes, where a frame has other features beside them (antibodies, guides, peaks): `scanpy.read_10x_h5` calls it gex_only.
 * undefined when all features are genes, or nothing says what they are.
 */
export function geneExpressionOf(frame: DataFrame): Int32Array | undefined {
  const name = typeColumns.find((column) => frame.has(column));
  if (name === undefined) return undefined;
  const column = frame.column(name);
  const valueAt = textAt(column);
  if (valueAt === undefined) return undefined;
  const keep: number[] = [];
  for (let i = 0; i < frame.length; i++) if (valueAt(i) === geneExpression) keep.push(i);
  return keep.length === 0 || keep.length === frame.length ? undefined : Int32Array.from(keep);
}

function textAt(column: Column): ((row: number) => string | null | undefined) | undefined {
  if (column.kind === "string") return (row) => column.values[row];
  if (column.kind === "categorical") return (row) => column.categories[column.codes[row] as number];
  return undefined;
}

/** All of a frame in memory, as the writers take it. For a part of it: `readFrame(takeFrame(frame, keep))`. */
export function readFrame(frame: DataFrame): FrameInput {
  const columns = Object.fromEntries(frame.columnNames.map((name) => [name, frame.column(name)]));
  return { index: frame.index(), indexName: frame.indexName, columns };
}

/** The rows of a frame that `keep` names, in that order. Every read reads the whole column of the file. */
export function takeFrame(frame: DataFrame, keep: Int32Array): DataFrame {
  const names = (start: number, end: number) => {
    const index = frame.index();
    return Array.from(keep.subarray(start, end), (row) => index[row] as string);
  };
  return {
    length: keep.length,
    indexName: frame.indexName,
    columnNames: frame.columnNames,
    has: (name) => frame.has(name),
    index: (start = 0, end = keep.length) => names(start, end),
    column: (name, start = 0, end = keep.length) => takeColumn(frame.column(name), keep.subarray(start, end)),
  };
}

function takeColumn(column: Column, keep: Int32Array): Column {
  const numbers = <T extends Uint8Array | Int32Array | Float64Array>(values: T): T => {
    const out = values.slice(0, keep.length) as T;
    for (let i = 0; i < keep.length; i++) out[i] = values[keep[i] as number] as number;
    return out;
  };
  switch (column.kind) {
    case "categorical":
      return { ...column, codes: numbers(column.codes) };
    case "string":
      return { ...column, values: Array.from(keep, (row) => column.values[row] as string | null) };
    case "boolean":
      return {
        ...column,
        values: numbers(column.values),
        ...(column.mask && { mask: numbers(column.mask) }),
      };
    case "number":
      return {
        ...column,
        values: numbers(column.values as Float64Array),
        ...(column.mask && { mask: numbers(column.mask) }),
      };
  }
}

/** The columns of a matrix that `keep` names, ascending. `nnz` stays that of the file. */
export function takeColumns(matrix: Matrix, keep: Int32Array): Matrix {
  const columns = matrix.shape[1];
  const place = new Int32Array(columns).fill(-1);
  for (const [i, column] of keep.entries()) {
    if (!(column >= 0 && column < columns && (i === 0 || column > (keep[i - 1] as number))))
      throw new AnnDataError(
        "invalid-argument",
        `columns must rise and be below ${columns}; found ${column} at ${i}`,
      );
    place[column] = i;
  }
  const taken: Matrix = {
    format: matrix.format,
    dtype: matrix.dtype,
    shape: [matrix.shape[0], keep.length],
    nnz: matrix.nnz,
    rows: (start, end) => pick(matrix.rows(start, end), place, keep.length),
    batches: (batchRows) => batchesOf(taken, batchRows),
    toCsr: async (options) => pick(await matrix.toCsr(options), place, keep.length),
  };
  const { expect, entries, turning } = matrix;
  if (expect !== undefined) taken.expect = expect;
  if (entries !== undefined) taken.entries = (from, to) => takeEntries(entries(from, to), place);
  if (turning !== undefined) {
    const rows: typeof turning.rows = (...range) => pick(turning.rows(...range), place, keep.length);
    taken.turning = { ...turning, rows };
  }
  return taken;
}

function takeEntries({ rows, columns, data }: Entries, place: Int32Array): Entries {
  const kept = columns.map((column) => place[column] as number);
  const wanted = (_: number, i: number) => (kept[i] as number) >= 0;
  return {
    rows: rows.filter(wanted),
    columns: kept.filter((column) => column >= 0),
    data: data.filter(wanted),
  };
}

function pick(rows: CsrRows, place: Int32Array, nCols: number): CsrRows {
  const indptr = new Float64Array(rows.nRows + 1);
  const indices = new Int32Array(rows.indices.length);
  const data = rows.data.slice();
  let at = 0;
  for (let r = 0; r < rows.nRows; r++) {
    for (let i = rows.indptr[r] as number; i < (rows.indptr[r + 1] as number); i++) {
      const column = place[rows.indices[i] as number] as number;
      if (column < 0) continue;
      indices[at] = column;
      data[at++] = rows.data[i] as number;
    }
    indptr[r + 1] = at;
  }
  return { nRows: rows.nRows, nCols, indptr, indices: indices.subarray(0, at), data: data.subarray(0, at) };
}
