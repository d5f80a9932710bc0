import { canonicalRows, isCanonical } from "./canonical.ts";
import {
  type CompressedArrays,
  checkIndices,
  checkOffsets,
  entryBytes,
  openArrays,
  readOffsets,
  readValues,
  toValues,
} from "./compressed-arrays.ts";
import { cscRows } from "./csc-rows.ts";
import { AnnDataError } from "./errors.ts";
import { batchesOf, checkRange, growingMemory, type MatrixAxes, type MatrixLimits } from "./matrix.ts";
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
  const scratch = limits.reuseRows ? createScratch() : undefined;
  const rows =
    byColumn?.rows ??
    ((start: number, end: number) => readMajor(arrays, start, end, limits.maxBytes, scratch));
  const all = axes.rows;
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
    toCsr: (options = {}) => byColumn?.toCsr(options) ?? readAll(arrays, all, limits.maxBytes, options),
  };
  if (byColumn !== undefined) {
    const { turning, expect, entries } = byColumn;
    Object.assign(matrix, { turning, expect, entries } satisfies Partial<Matrix>);
  }
  return matrix;
}

/** Memory for the entries of one range of rows, which is used again for the next. */
interface Scratch {
  indices(entries: number): Uint8Array<ArrayBuffer>;
  data(entries: number): Uint8Array<ArrayBuffer>;
}

function createScratch(): Scratch {
  const [indices, data] = [growingMemory(), growingMemory()];
  // Elements have 8 bytes at most, and mostly 4; what does not fit is read into memory of its own.
  return { indices: (entries) => indices(entries * 4), data: (entries) => data(entries * 4) };
}

function readMajor(
  arrays: CompressedArrays,
  start: number,
  end: number,
  maxBytes: number,
  scratch: Scratch | undefined,
): CsrRows {
  const offsets = readOffsets(arrays, start, end);
  const from = offsets[0]!;
  const to = offsets[offsets.length - 1]!;
  checkBytes(arrays, start, end, to - from, maxBytes);
  const indptr = new Float64Array(offsets.length);
  for (let i = 0; i < indptr.length; i++) indptr[i] = offsets[i]! - from;
  const indices = arrays.source.read(arrays.indices, from, to, scratch?.indices(to - from));
  const read = () => readValues(arrays, from, to, scratch?.data(to - from));
  return inOrder(arrays, end - start, indptr, from, indices, read);
}

/** Rows with their columns checked and, where the file has them otherwise, sorted and without duplicates. */
function inOrder(
  arrays: CompressedArrays,
  nRows: number,
  indptr: Float64Array,
  from: number,
  read: Values,
  data: () => CsrRows["data"],
): CsrRows {
  const nCols = arrays.minor;
  if (read instanceof Int32Array && isCanonical(nRows, nCols, indptr, read)) {
    return { nRows, nCols, indptr, indices: read, data: data() };
  }
  const indices = checkIndices(arrays, from, read);
  return canonicalRows({ nRows, nCols, indptr, indices, data: data() });
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
  const indices = await read(arrays.indices);
  const data = toValues(arrays, await read(arrays.data));
  const indptr = offsets instanceof Float64Array ? offsets : Float64Array.from(offsets);
  return inOrder(arrays, nRows, indptr, 0, indices, () => data);
}
