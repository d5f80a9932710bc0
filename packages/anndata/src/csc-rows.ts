import { canonicalRows } from "./canonical.ts";
import {
  type CompressedArrays,
  entryBytes,
  readIndices,
  readOffsets,
  readValues,
} from "./compressed-arrays.ts";
import { AnnDataError } from "./errors.ts";
import { type MatrixLimits, valueArray } from "./matrix.ts";
import { concatRows, sliceRows } from "./rows.ts";
import { createSpill, type Spill } from "./spill.ts";
import type { CsrRows } from "./types.ts";

/** A matrix up to this size is turned in memory and kept; bigger ones go through the disk. */
const maxTurnedBytes = 256 * 1024 * 1024;
/** Entries of one bucket on disk, as they come back into memory. */
const maxBucketBytes = 32 * 1024 * 1024;
const maxBuckets = 1_024;
/** Entries read from the file at a time. */
const maxBlockEntries = 1024 * 1024;
/** So often a few rows are picked out in one pass over the file, before turning all of it pays. */
const maxPicks = 2;

/**
 * Rows of a matrix that is stored by column. One pass over the indices counts the entries of every row. What fits is then turned in
 * memory, once. Otherwise the first requests for a few rows pick them out of a pass over the file, and later ones sort all entries
 * into buckets of rows on disk and read a bucket at a time. Memory: the counts, one bucket or window, and a block of the file.
 */
export function cscRows(
  arrays: CompressedArrays,
  nRows: number,
  nCols: number,
  limits: MatrixLimits,
): CscRows {
  const memory = Math.min(limits.maxBytes, maxTurnedBytes);
  const blockEntries = Math.max(1_024, Math.min(maxBlockEntries, Math.floor(limits.maxBytes / 64)));
  const turn: Turn = { arrays, nRows, nCols, blockEntries };
  const fits = arrays.nnz * entryBytes(arrays) <= memory;
  let counted: Float64Array | undefined;
  let turned: CsrRows | undefined;
  let buckets: ((start: number, end: number) => CsrRows) | undefined;
  let picks = 0;
  const rows = (start: number, end: number): CsrRows => {
    if (turned !== undefined) return start === 0 && end === nRows ? turned : sliceRows(turned, start, end);
    counted ??= countRows(turn);
    const bytes = (counted[end]! - counted[start]!) * entryBytes(arrays);
    if (bytes > limits.maxBytes) {
      throw new AnnDataError(
        "too-large",
        `${arrays.where}: rows ${start} to ${end} take ${bytes} bytes, the limit is ${limits.maxBytes}; ask for fewer`,
      );
    }
    if (fits) {
      turned = pick(turn, counted, 0, nRows);
      return start === 0 && end === nRows ? turned : sliceRows(turned, start, end);
    }
    // All of it is as much as the caller allows; to keep it besides would be twice that.
    if (start === 0 && end === nRows) return pick(turn, counted, start, end);
    if (buckets === undefined && picks++ < maxPicks && bytes <= memory) {
      return pick(turn, counted, start, end);
    }
    buckets ??= spilled(turn, counted, limits);
    return buckets(start, end);
  };
  return {
    rows,
    prepare: () => {
      if (fits || buckets !== undefined) return;
      counted ??= countRows(turn);
      buckets = spilled(turn, counted, limits);
    },
  };
}

/** Rows of a matrix by column. */
export interface CscRows {
  rows(start: number, end: number): CsrRows;
  /** All rows will be asked for: the passes that would pick the first ones are saved. */
  prepare(): void;
}

interface Turn {
  arrays: CompressedArrays;
  nRows: number;
  nCols: number;
  blockEntries: number;
}

/** Offsets of every row. */
function countRows({ arrays, nRows, blockEntries }: Turn): Float64Array {
  const indptr = new Float64Array(nRows + 1);
  for (let from = 0; from < arrays.nnz; from += blockEntries) {
    const rows = readIndices(arrays, from, Math.min(arrays.nnz, from + blockEntries));
    for (let i = 0; i < rows.length; i++) indptr[rows[i]! + 1]!++;
  }
  for (let row = 0; row < nRows; row++) indptr[row + 1]! += indptr[row]!;
  return indptr;
}

/** Visits the entries column by column. */
function visit(turn: Turn, each: (row: number, column: number, value: number) => void): void {
  const { arrays, nCols, blockEntries } = turn;
  const offsets = readOffsets(arrays, 0, nCols);
  let column = 0;
  for (let from = 0; from < arrays.nnz; from += blockEntries) {
    const to = Math.min(arrays.nnz, from + blockEntries);
    const rows = readIndices(arrays, from, to);
    const data = readValues(arrays, from, to);
    for (let i = 0; i < rows.length; i++) {
      while (offsets[column + 1]! <= from + i) column++;
      each(rows[i]!, column, data[i]!);
    }
  }
}

/** One pass that keeps rows `start` to `end`. Columns come in order, so every row is sorted. */
function pick(turn: Turn, counted: Float64Array, start: number, end: number): CsrRows {
  const base = counted[start]!;
  const indptr = counted.slice(start, end + 1).map((offset) => offset - base);
  const next = indptr.slice();
  const nnz = indptr[end - start]!;
  const indices = new Int32Array(nnz);
  const data = valueArray(turn.arrays.dtype, nnz);
  visit(turn, (row, column, value) => {
    if (row < start || row >= end) return;
    const at = next[row - start]!++;
    indices[at] = column;
    data[at] = value;
  });
  return canonicalRows({ nRows: end - start, nCols: turn.nCols, indptr, indices, data });
}

function spilled(
  turn: Turn,
  counted: Float64Array,
  limits: MatrixLimits,
): (start: number, end: number) => CsrRows {
  const { arrays, nRows } = turn;
  const bucketBytes = Math.min(maxBucketBytes, limits.maxBytes / 4);
  const starts = bucketStarts(counted, entryBytes(arrays), bucketBytes);
  const bucketOf = new Uint16Array(nRows);
  starts.forEach((from, bucket) => {
    bucketOf.fill(bucket, from, starts[bucket + 1] ?? nRows);
  });
  const wide = valueArray(arrays.dtype, 0) instanceof Float64Array;
  const spill = createSpill(starts.length, bucketBytes, wide, limits.tempDir);
  limits.onClose(() => spill.close());
  visit(turn, (row, column, value) => {
    const bucket = bucketOf[row]!;
    spill.add(bucket, row - starts[bucket]!, column, value);
  });
  let last: { bucket: number; rows: CsrRows } | undefined;
  const load = (bucket: number): CsrRows => {
    if (last?.bucket !== bucket) {
      const from = starts[bucket]!;
      last = {
        bucket,
        rows: bucketRows(spill, bucket, counted, from, starts[bucket + 1] ?? nRows, turn.nCols),
      };
    }
    return last.rows;
  };
  return (start, end) => {
    const parts: CsrRows[] = [];
    for (let row = start; row < end || parts.length === 0; ) {
      const bucket = bucketOf[Math.min(row, nRows - 1)]!;
      const from = starts[bucket]!;
      const to = Math.min(end, starts[bucket + 1] ?? nRows);
      parts.push(sliceRows(load(bucket), row - from, to - from));
      row = Math.max(to, row + 1);
    }
    return parts.length === 1 ? parts[0]! : concatRows(parts);
  };
}

/** First row of every bucket: consecutive rows with about `bucketBytes` of entries. */
function bucketStarts(counted: Float64Array, size: number, bucketBytes: number): number[] {
  const nRows = counted.length - 1;
  const wanted = Math.max(bucketBytes, (counted[nRows]! * size) / maxBuckets, size);
  const starts = [0];
  for (let row = 1; row < nRows; row++) {
    if ((counted[row + 1]! - counted[starts.at(-1)!]!) * size > wanted && starts.length < 2 * maxBuckets) {
      starts.push(row);
    }
  }
  return starts;
}

function bucketRows(
  spill: Spill,
  bucket: number,
  counted: Float64Array,
  from: number,
  to: number,
  nCols: number,
): CsrRows {
  const entries = spill.read(bucket);
  const indptr = counted.slice(from, to + 1).map((offset) => offset - counted[from]!);
  const next = indptr.slice();
  const indices = new Int32Array(entries.major.length);
  const data =
    entries.data instanceof Float64Array
      ? new Float64Array(indices.length)
      : new Float32Array(indices.length);
  for (let i = 0; i < indices.length; i++) {
    const at = next[entries.major[i]!]!++;
    indices[at] = entries.minor[i]!;
    data[at] = entries.data[i]!;
  }
  return canonicalRows({ nRows: to - from, nCols, indptr, indices, data });
}
