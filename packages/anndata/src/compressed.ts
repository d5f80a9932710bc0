import { canonicalRows } from "./canonical.ts";
import {
  type CompressedArrays,
  checkIndices,
  checkOffsets,
  entryBytes,
  openArrays,
  readIndices,
  readOffsets,
  readValues,
  toValues,
} from "./compressed-arrays.ts";
import { cscRows } from "./csc-rows.ts";
import { AnnDataError } from "./errors.ts";
import { batchesOf, checkRange, type MatrixAxes, type MatrixLimits } from "./matrix.ts";
import type { ArrayInfo, ParallelOptions, Source, Values } from "./storage.ts";
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
  const byColumn = byRow ? undefined : cscRows(arrays, axes.rows, axes.columns, limits);
  const rows =
    byColumn?.rows ??
    ((start: number, end: number) => canonicalRows(readMajor(arrays, start, end, limits.maxBytes)));
  const all = axes.rows;
  const matrix: Matrix = {
    format,
    dtype: arrays.dtype,
    shape: [axes.rows, axes.columns],
    nnz: arrays.nnz,
    batches: function* (batchRows) {
      if (batchRows < all) byColumn?.prepare();
      yield* batchesOf(matrix, batchRows);
    },
    rows: (start, end) => {
      checkRange(where, axes.rows, start, end);
      return rows(start, end);
    },
    toCsr: async (options = {}) => (byRow ? readAll(arrays, all, limits.maxBytes, options) : rows(0, all)),
  };
  return matrix;
}

function readMajor(arrays: CompressedArrays, start: number, end: number, maxBytes: number): CsrRows {
  const offsets = readOffsets(arrays, start, end);
  const from = offsets[0]!;
  const to = offsets[offsets.length - 1]!;
  checkBytes(arrays, start, end, to - from, maxBytes);
  return {
    nRows: end - start,
    nCols: arrays.minor,
    indptr: Float64Array.from(offsets, (offset) => offset - from),
    indices: readIndices(arrays, from, to),
    data: readValues(arrays, from, to),
  };
}

function checkBytes(
  arrays: CompressedArrays,
  start: number,
  end: number,
  entries: number,
  maxBytes: number,
): void {
  const bytes = entries * entryBytes(arrays);
  if (bytes <= maxBytes) return;
  throw new AnnDataError(
    "too-large",
    `${arrays.where}: rows ${start} to ${end} take ${bytes} bytes, the limit is ${maxBytes}; ask for fewer`,
  );
}

/** The three arrays as a whole, decoded in parallel; put in order only where they are not. */
async function readAll(
  arrays: CompressedArrays,
  nRows: number,
  maxBytes: number,
  options: ParallelOptions,
): Promise<CsrRows> {
  const { source, nnz } = arrays;
  checkBytes(arrays, 0, nRows, nnz, maxBytes);
  const read = async (info: ArrayInfo): Promise<Values> => {
    options.signal?.throwIfAborted();
    const length = info.shape![0]!;
    return source.readParallel?.(info, 0, length, options) ?? source.read(info);
  };
  const offsets = checkOffsets(arrays, 0, await read(arrays.indptr));
  const indices = checkIndices(arrays, 0, await read(arrays.indices));
  const data = toValues(arrays, await read(arrays.data));
  const indptr = offsets instanceof Float64Array ? offsets : Float64Array.from(offsets);
  return canonicalRows({ nRows, nCols: arrays.minor, indptr, indices, data });
}
