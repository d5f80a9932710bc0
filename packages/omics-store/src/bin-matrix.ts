import { OmicsStoreError } from "./errors.ts";
import type { CsrRowsLike } from "./types.ts";

/** The matrix of one bin while its rows arrive in any order. */
export interface BinMatrix {
  /** Where row p may write: starts[p]..starts[p + 1), sized by the stored non-zeros. */
  starts: Float64Array;
  /** Values written in row p, −1 until the row came. */
  lengths: Int32Array;
  indices: Int32Array;
  data: Float32Array;
}

/** Memory that threads share, for the matrices of one group of bins after the other. */
export interface MatrixRoom {
  indices: SharedArrayBuffer;
  data: SharedArrayBuffer;
}

/** Matrices begin at multiples of so many values: of 64 bytes. */
const alignValues = 16;
const aligned = (values: number): number => Math.ceil(values / alignValues) * alignValues;

/** Bytes that each array of a room needs for any of the groups. */
export function roomBytes(groups: readonly (readonly { nnz: number }[])[]): number {
  const values = groups.map((bins) => bins.reduce((sum, { nnz }) => sum + aligned(nnz), 0));
  return values.reduce((most, count) => Math.max(most, count), 0) * 4;
}

/** Shared memory is only given back by the garbage collections of all threads that saw it: use a room again where possible. */
export function createRoom(bytes: number): MatrixRoom {
  return { indices: new SharedArrayBuffer(bytes), data: new SharedArrayBuffer(bytes) };
}

/** Empty matrices whose rows hold at most `sizes[bin][row]` values, in `room` or memory of their own; undefined when the room is too small. */
export function createBinMatrices(sizes: readonly Int32Array[], room?: MatrixRoom): BinMatrix[] | undefined {
  const matrices: BinMatrix[] = [];
  let at = 0;
  for (const nnz of sizes) {
    const starts = new Float64Array(nnz.length + 1);
    for (let i = 0; i < nnz.length; i++) starts[i + 1] = starts[i]! + nnz[i]!;
    const total = starts[nnz.length]!;
    if (room !== undefined && (at + total) * 4 > room.indices.byteLength) return undefined;
    const lengths = room === undefined ? new Int32Array(nnz.length) : sharedInts(nnz.length);
    matrices.push({
      starts,
      lengths: lengths.fill(-1),
      indices: room === undefined ? new Int32Array(total) : new Int32Array(room.indices, at * 4, total),
      data: room === undefined ? new Float32Array(total) : new Float32Array(room.data, at * 4, total),
    });
    at += aligned(total);
  }
  return matrices;
}

/** Zeros that all threads see. */
export function sharedInts(length: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(length * 4));
}

/** From the features of one ingest to schema columns: `columns[feature id − start]` is a column, or −1 for a gene outside the schema. */
export interface FeatureMap {
  start: number;
  columns: Int32Array;
  /** Whether every feature is the column of its position. */
  same: boolean;
}

/** Scratch of one extraction: a dense row and the set of columns it holds. */
export interface RowScratch {
  sums: Float64Array;
  present: Uint32Array;
}

export const createScratch = (nCols: number): RowScratch => ({
  sums: new Float64Array(nCols),
  present: new Uint32Array(Math.ceil(nCols / 32)),
});

/** A row as it was decoded: ids and counts of one cell, as views. */
export interface StoredList {
  ids: Int32Array;
  counts: Int32Array | Float32Array;
}

/** Where row `p` begins. Throws `corrupt` when `length` entries do not fit there or the row is written already. */
export function rowStart(matrix: BinMatrix, p: number, length: number): number {
  const base = matrix.starts[p]!;
  if (length > matrix.starts[p + 1]! - base || matrix.lengths[p] !== -1)
    throw new OmicsStoreError(
      "corrupt",
      `a cell's list has ${length} entries, more than its nnz, or it came twice`,
    );
  return base;
}

/**
 * Writes a list whose columns do not rise into row `p`: columns ascending, repeated ones summed in float64 and rounded to float32 once.
 * Throws `corrupt` for a feature id outside the ingest.
 */
export function placeUnordered(
  matrix: BinMatrix,
  p: number,
  list: StoredList,
  map: FeatureMap,
  { sums, present }: RowScratch,
): void {
  const base = matrix.starts[p]!;
  for (let k = 0; k < list.ids.length; k++) {
    const column = map.columns[list.ids[k]! - map.start];
    if (column === undefined)
      throw new OmicsStoreError("corrupt", `feature id ${list.ids[k]} is outside its ingest`);
    if (column === -1) continue;
    sums[column]! += list.counts[k]!;
    present[column >>> 5]! |= 1 << (column & 31);
  }
  let written = 0;
  for (let w = 0; w < present.length; w++) {
    let bits = present[w]!;
    if (bits === 0) continue;
    present[w] = 0;
    while (bits !== 0) {
      const low = bits & -bits;
      const column = (w << 5) + 31 - Math.clz32(low);
      bits ^= low;
      const sum = Math.fround(sums[column]!);
      sums[column] = 0;
      if (sum === 0) continue;
      matrix.indices[base + written] = column;
      matrix.data[base + written++] = sum;
    }
  }
  matrix.lengths[p] = written;
}

/** Closes the gaps that genes outside the schema left, in place. The result shares the matrix's memory. */
export function compactRows(matrix: BinMatrix, nCols: number): CsrRowsLike {
  const nRows = matrix.lengths.length;
  const indptr = new Float64Array(nRows + 1);
  let end = 0;
  for (let p = 0; p < nRows; p++) {
    const from = matrix.starts[p]!;
    const length = matrix.lengths[p]!;
    if (from !== end) {
      matrix.indices.copyWithin(end, from, from + length);
      matrix.data.copyWithin(end, from, from + length);
    }
    end += length;
    indptr[p + 1] = end;
  }
  return {
    nRows,
    nCols,
    indptr,
    indices: matrix.indices.subarray(0, end),
    data: matrix.data.subarray(0, end),
  };
}
