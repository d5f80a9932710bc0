import {
  type CompressedArrays,
  entryBytes,
  readIndices,
  readOffsets,
  readValues,
} from "../compressed-arrays.ts";
import { AnnDataError } from "../errors.ts";
import { oneAhead } from "../one-ahead.ts";
import type { ArrayInfo, ParallelOptions, Values } from "../storage.ts";

/** A matrix by column, and how much of it is read at a time. */
export interface ColumnMatrix {
  arrays: CompressedArrays;
  nRows: number;
  nCols: number;
  blockEntries: number;
}

/** @throws AnnDataError "too-large" */
export function checkSize(
  arrays: CompressedArrays,
  start: number,
  end: number,
  entries: number,
  most: number,
): void {
  const bytes = entries * entryBytes(arrays);
  if (bytes <= most) return;
  throw new AnnDataError(
    "too-large",
    `${arrays.where}: rows ${start} to ${end} take ${bytes} bytes, the limit is ${most}; ask for fewer`,
  );
}

/** The first column that ends after entry `at`. */
export function columnAt(offsets: ArrayLike<number>, at: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle + 1]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Part of a block: the entries `from` to `to`, all of one column. */
export type VisitColumn = (
  rows: Int32Array,
  column: number,
  from: number,
  to: number,
  data: Float32Array | Float64Array,
) => void;

export function visitBlock(
  offsets: ArrayLike<number>,
  from: number,
  rows: Int32Array,
  data: Float32Array | Float64Array,
  each: VisitColumn,
): void {
  for (let column = columnAt(offsets, from), at = 0; at < rows.length; column++) {
    const end = Math.min(rows.length, offsets[column + 1]! - from);
    if (end > at) each(rows, column, at, end, data);
    at = end;
  }
}

/** Visits the entries column by column. */
export function visit({ arrays, nCols, blockEntries }: ColumnMatrix, each: VisitColumn): void {
  const offsets = readOffsets(arrays, 0, nCols);
  for (let from = 0; from < arrays.nnz; from += blockEntries) {
    const to = Math.min(arrays.nnz, from + blockEntries);
    visitBlock(offsets, from, readIndices(arrays, from, to), readValues(arrays, from, to), each);
  }
}

/** A part of an array, read by several threads where the store can. */
export async function readPart(
  { source }: CompressedArrays,
  info: ArrayInfo,
  from: number,
  to: number,
  options: ParallelOptions & { into?: SharedArrayBuffer | undefined },
): Promise<Values> {
  options.signal?.throwIfAborted();
  return source.readParallel?.(info, from, to, options) ?? source.read(info, from, to);
}

/** Blocks of `entries` entries of some arrays, one read ahead; the memory of a block is used again for the next but one. */
export function readAhead(
  arrays: CompressedArrays,
  entries: number,
  infos: readonly ArrayInfo[],
  options: ParallelOptions,
): AsyncGenerator<{ from: number; to: number; values: Values[] }> {
  const { nnz } = arrays;
  const bytes = Math.min(nnz, entries) * 8;
  const memory = [0, 1].map(() => infos.map(() => new SharedArrayBuffer(bytes)));
  return oneAhead(Math.ceil(nnz / entries), options.signal, async (block, signal) => {
    const [from, to] = [block * entries, Math.min(nnz, (block + 1) * entries)];
    const values: Values[] = [];
    for (const [i, info] of infos.entries())
      values.push(
        await readPart(arrays, info, from, to, { ...options, signal, into: memory[block % 2]![i] }),
      );
    return { from, to, values };
  });
}
