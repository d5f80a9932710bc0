import { AnnDataError } from "./errors.ts";
import type { CsrRows } from "./types.ts";

/** Rows picked by `order` (repeats allowed), in that order. O(entries taken). */
export function takeRows(rows: CsrRows, order: Int32Array): CsrRows {
  const indptr = new Float64Array(order.length + 1);
  for (let i = 0; i < order.length; i++) {
    const row = order[i]!;
    if (row < 0 || row >= rows.nRows) {
      throw new AnnDataError(
        "invalid-argument",
        `takeRows: order[${i}] = ${row}, but there are ${rows.nRows} rows`,
      );
    }
    indptr[i + 1] = indptr[i]! + rows.indptr[row + 1]! - rows.indptr[row]!;
  }
  const nnz = indptr[order.length]!;
  const indices = new Int32Array(nnz);
  const data = rows.data instanceof Float32Array ? new Float32Array(nnz) : new Float64Array(nnz);
  for (let i = 0; i < order.length; i++) {
    const from = rows.indptr[order[i]!]!;
    const to = rows.indptr[order[i]! + 1]!;
    indices.set(rows.indices.subarray(from, to), indptr[i]!);
    data.set(rows.data.subarray(from, to), indptr[i]!);
  }
  return { nRows: order.length, nCols: rows.nCols, indptr, indices, data };
}

/** Rows `start` (inclusive) to `end` (exclusive), copied. */
export function sliceRows(rows: CsrRows, start: number, end: number): CsrRows {
  if (
    !(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= rows.nRows)
  ) {
    throw new AnnDataError("invalid-argument", `sliceRows: ${start} to ${end} of ${rows.nRows} rows`);
  }
  const from = rows.indptr[start]!;
  const to = rows.indptr[end]!;
  const indptr = new Float64Array(end - start + 1);
  for (let row = 0; row <= end - start; row++) indptr[row] = rows.indptr[start + row]! - from;
  return {
    nRows: end - start,
    nCols: rows.nCols,
    indptr,
    indices: rows.indices.slice(from, to),
    data: rows.data.slice(from, to),
  };
}

/** Rows one after another; all parts have the same columns. Data is float64 when any part is. */
export function concatRows(parts: readonly CsrRows[]): CsrRows {
  const first = parts[0];
  if (first === undefined) throw new AnnDataError("invalid-argument", "concatRows: no parts given");
  const wrong = parts.find((part) => part.nCols !== first.nCols);
  if (wrong !== undefined) {
    throw new AnnDataError(
      "invalid-argument",
      `concatRows: parts have ${first.nCols} and ${wrong.nCols} columns`,
    );
  }
  const nRows = parts.reduce((sum, part) => sum + part.nRows, 0);
  const nnz = parts.reduce((sum, part) => sum + part.indptr[part.nRows]!, 0);
  const indptr = new Float64Array(nRows + 1);
  const indices = new Int32Array(nnz);
  const data = parts.some((part) => part.data instanceof Float64Array)
    ? new Float64Array(nnz)
    : new Float32Array(nnz);
  let row = 0;
  let at = 0;
  for (const part of parts) {
    const entries = part.indptr[part.nRows]!;
    indices.set(part.indices.subarray(0, entries), at);
    data.set(part.data.subarray(0, entries), at);
    for (let r = 1; r <= part.nRows; r++) indptr[row + r] = at + part.indptr[r]!;
    row += part.nRows;
    at += entries;
  }
  return { nRows, nCols: first.nCols, indptr, indices, data };
}
