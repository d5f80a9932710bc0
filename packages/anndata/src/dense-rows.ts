import { AnnDataError } from "./errors.ts";
import { type MatrixAxes, valueArray } from "./matrix.ts";
import { oneAhead } from "./one-ahead.ts";
import { plainNumbers } from "./source.ts";
import type { ArrayInfo, ParallelOptions, Source, ValueType } from "./storage.ts";
import type { CsrRows } from "./types.ts";

/** Bytes of a batch as it stands in the store; two of them are held. */
const batchBytes = 32 * 1024 * 1024;
/** A batch that has to hold whole rows of chunks may be bigger, up to this. */
const mostBatchBytes = 128 * 1024 * 1024;

/** Where entries are put, and how many there are. */
interface Entries {
  indptr: Float64Array;
  indices: Int32Array;
  data: Float32Array | Float64Array;
}

/** Rows of a dense matrix, row-major, without their zeros. NaN is not zero and stays. */
export function dropZeros(values: ArrayLike<number>, dtype: string, nRows: number, nCols: number): CsrRows {
  let nnz = 0;
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) nnz++;
  const entries = {
    indptr: new Float64Array(nRows + 1),
    indices: new Int32Array(nnz),
    data: valueArray(dtype, nnz),
  };
  addRows(values, 0, nRows, nCols, entries);
  return { nRows, nCols, ...entries };
}

/**
 * All rows of a dense matrix without their zeros: some rows at a time are decoded by several threads, while this one drops the zeros of those
 * before. Holds two batches besides the result, which lies in shared memory of which no more is touched than there are entries.
 *
 * @throws AnnDataError "too-large" when the entries take more than `maxBytes`; the reason of the signal
 */
export async function readAllRows(
  source: Source,
  info: ArrayInfo,
  where: string,
  dtype: string,
  axes: MatrixAxes,
  maxBytes: number,
  options: ParallelOptions,
): Promise<CsrRows> {
  const { rows: nRows, columns: nCols } = axes;
  const rowBytes = nCols * itemBytes(info.type);
  if (rowBytes > maxBytes)
    throw new AnnDataError("too-large", `${where}: a row takes ${rowBytes} bytes, the limit is ${maxBytes}`);
  const valueBytes = valueArray(dtype, 0).BYTES_PER_ELEMENT;
  const most = Math.min(nRows * nCols, Math.floor(maxBytes / (4 + valueBytes)));
  const entries: Entries = {
    indptr: new Float64Array(nRows + 1),
    indices: new Int32Array(new SharedArrayBuffer(most * 4)),
    data: sharedValues(dtype, most),
  };
  const step = batchRows(info, rowBytes, Math.min(maxBytes, mostBatchBytes));
  const places = [0, 1].map(() => new SharedArrayBuffer(Math.min(step, nRows) * rowBytes));
  const batches = oneAhead(Math.ceil(nRows / step), options.signal, async (i, signal) => {
    const [start, end] = [i * step, Math.min(nRows, (i + 1) * step)];
    const into = places[i % 2]!;
    return { start, end, values: await source.readParallel!(info, start, end, { ...options, signal, into }) };
  });
  let nnz = 0;
  for await (const { start, end, values } of batches) {
    nnz = addRows(plainNumbers(values, where), start, end, nCols, entries);
    if (nnz > most)
      throw new AnnDataError(
        "too-large",
        `${where}: rows to ${end} have ${nnz} values that are not zero, which take more than the limit of ${maxBytes} bytes; ask for fewer rows`,
      );
  }
  const { indptr, indices, data } = entries;
  return { nRows, nCols, indptr, indices: indices.subarray(0, nnz), data: data.subarray(0, nnz) };
}

/** Adds rows `start` to `end`. @returns how many entries there are now; what there is no room for is only counted */
function addRows(
  values: ArrayLike<number>,
  start: number,
  end: number,
  nCols: number,
  { indptr, indices, data }: Entries,
): number {
  let at = indptr[start]!;
  for (let row = start, i = 0; row < end; row++) {
    for (let column = 0; column < nCols; column++, i++) {
      const value = values[i]!;
      if (value === 0) continue;
      indices[at] = column;
      data[at++] = value;
    }
    indptr[row + 1] = at;
  }
  return at;
}

/** A multiple of the chunk's rows where that fits, so that no chunk is decoded twice. */
function batchRows(info: ArrayInfo, rowBytes: number, mostBytes: number): number {
  const fitting = (bytes: number): number => Math.max(1, Math.floor(bytes / Math.max(1, rowBytes)));
  const chunkRows = info.chunks?.[0] ?? 1;
  if (chunkRows * rowBytes > mostBytes) return fitting(mostBytes);
  return Math.max(1, Math.floor(fitting(Math.min(batchBytes, mostBytes)) / chunkRows)) * chunkRows;
}

export function itemBytes(type: ValueType): number {
  if (type.kind === "enum") return type.base.size;
  return type.kind === "int" || type.kind === "float" ? type.size : 8;
}

function sharedValues(dtype: string, length: number): Float32Array | Float64Array {
  const { BYTES_PER_ELEMENT: bytes } = valueArray(dtype, 0);
  const buffer = new SharedArrayBuffer(length * bytes);
  return bytes === 4 ? new Float32Array(buffer) : new Float64Array(buffer);
}
