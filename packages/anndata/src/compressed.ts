import { canonicalRows } from "./canonical.ts";
import {
  type CompressedArrays,
  entryBytes,
  openArrays,
  readIndices,
  readOffsets,
  readValues,
} from "./compressed-arrays.ts";
import { cscRows } from "./csc-rows.ts";
import { AnnDataError } from "./errors.ts";
import { batchesOf, checkRange, type MatrixAxes, type MatrixLimits } from "./matrix.ts";
import type { Source } from "./storage.ts";
import type { CsrRows, Matrix } from "./types.ts";

export function openCompressed(
  source: Source,
  where: string,
  format: "csr" | "csc",
  axes: MatrixAxes,
  limits: MatrixLimits,
): Matrix {
  const byRow = format === "csr";
  const major = byRow ? axes.rows : axes.columns;
  const arrays = openArrays(
    source,
    where,
    major,
    byRow ? axes.columns : axes.rows,
    byRow ? axes.columnsSay : axes.rowsSay,
  );
  const rows = byRow
    ? (start: number, end: number) => canonicalRows(readMajor(arrays, start, end, limits.maxBytes))
    : cscRows(arrays, axes.rows, axes.columns, limits);
  const matrix: Matrix = {
    format,
    dtype: arrays.dtype,
    shape: [axes.rows, axes.columns],
    nnz: arrays.nnz,
    batches: (batchRows) => batchesOf(matrix, batchRows),
    rows: (start, end) => {
      checkRange(where, axes.rows, start, end);
      return rows(start, end);
    },
  };
  return matrix;
}

function readMajor(arrays: CompressedArrays, start: number, end: number, maxBytes: number): CsrRows {
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
  return {
    nRows: end - start,
    nCols: arrays.minor,
    indptr: Float64Array.from(offsets, (offset) => offset - from),
    indices: readIndices(arrays, from, to),
    data: readValues(arrays, from, to),
  };
}
