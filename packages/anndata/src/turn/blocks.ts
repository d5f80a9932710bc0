import {
  type CompressedArrays,
  entryBytes,
  readIndices,
  readOffsets,
  readValues,
} from "../compressed-arrays.ts";
import { AnnDataError } from "../errors.ts";
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

/** Reads a part of an array by several threads, where the store can. */
export function partReader({ source }: CompressedArrays, options: ParallelOptions): ReadPart {
  return async (info, from, to, into) => {
    options.signal?.throwIfAborted();
    const how = into === undefined ? options : { ...options, into };
    return source.readParallel?.(info, from, to, how) ?? source.read(info, from, to);
  };
}

export type ReadPart = (
  info: ArrayInfo,
  from: number,
  to: number,
  into?: SharedArrayBuffer,
) => Promise<Values>;

/** Blocks of `entries` entries of some arrays, one read ahead; the memory of a block is used again for the next but one. */
export async function* readAhead(
  nnz: number,
  entries: number,
  infos: readonly ArrayInfo[],
  read: ReadPart,
): AsyncGenerator<{ from: number; to: number; values: Values[] }> {
  const bytes = Math.min(nnz, entries) * 8;
  const memory = [0, 1].map(() => infos.map(() => new SharedArrayBuffer(bytes)));
  const readAll = async (from: number, to: number, into: readonly SharedArrayBuffer[]) => {
    const values: Values[] = [];
    for (const [i, info] of infos.entries()) values.push(await read(info, from, to, into[i]));
    return values;
  };
  const begin = (from: number, turn: number) => {
    const to = Math.min(nnz, from + entries);
    const values = readAll(from, to, memory[turn % 2]!);
    // Looked at when its turn comes.
    values.catch(() => undefined);
    return { from, to, values };
  };
  let ahead = nnz > 0 ? begin(0, 0) : undefined;
  try {
    for (let turn = 1; ahead !== undefined; turn++) {
      const { from, to }: { from: number; to: number } = ahead;
      const values = await ahead.values;
      ahead = to < nnz ? begin(to, turn) : undefined;
      yield { from, to, values };
    }
  } finally {
    await ahead?.values.catch(() => undefined);
  }
}
