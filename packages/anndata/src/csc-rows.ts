import {
  type CompressedArrays,
  entryBytes,
  readIndices,
  readOffsets,
  readValues,
} from "./compressed-arrays.ts";
import type { MatrixLimits } from "./matrix.ts";
import { sliceRows } from "./rows.ts";
import type { ParallelOptions } from "./storage.ts";
import { type ColumnMatrix, checkSize, visit, visitBlock } from "./turn/blocks.ts";
import { turnInMemory, turnInParallel } from "./turn/in-memory.ts";
import { createPicker } from "./turn/pick.ts";
import { type SortedRows, sortAll, sortInParallel } from "./turn/sorted-rows.ts";
import { type Turning, turningOf } from "./turn/turning.ts";
import type { CsrRows, Entries } from "./types.ts";

/** A matrix up to this size is turned in memory and kept; bigger ones go through the disk. */
const maxTurnedBytes = 256 * 1024 * 1024;
/** Entries read from the file at a time. */
const maxBlockEntries = 1024 * 1024;
/** So often a few rows are picked out in one pass over the file, before turning all of it pays. */
const maxPicks = 2;
/** Share of the rows that are picked out together; more are sorted. */
const maxPicked = 0.25;

/** Rows of a matrix by column. */
export interface CscRows {
  rows(start: number, end: number): CsrRows;
  /** Only these rows will be asked for: one pass over the file finds a few, more are worth sorting all. */
  expect(ranges: readonly (readonly [number, number])[]): void;
  /** Entries as they stand in the file. */
  entries(from: number, to: number): Entries;
  toCsr(options: ParallelOptions): Promise<CsrRows>;
  turning: Turning;
}

/**
 * Rows of a matrix that is stored by column. What fits is turned in memory, once, and kept. Otherwise the first requests for a few rows pick
 * them out of a pass over the file, and later ones sort all entries into buckets of rows on disk and read a bucket at a time. Memory: the
 * counts, one bucket or window, and a block of the file.
 */
export function cscRows(
  arrays: CompressedArrays,
  nRows: number,
  nCols: number,
  limits: MatrixLimits,
): CscRows {
  const memory = Math.min(limits.maxBytes, maxTurnedBytes);
  const blockEntries = Math.max(1_024, Math.min(maxBlockEntries, Math.floor(limits.maxBytes / 64)));
  const matrix: ColumnMatrix = { arrays, nRows, nCols, blockEntries };
  const turning = turningOf(arrays, nRows, nCols, limits);
  const fits = arrays.nnz * entryBytes(arrays) <= memory;
  let turned: CsrRows | undefined;
  let sorted: SortedRows | undefined;
  let picked = new Map<string, CsrRows>();
  let picks = 0;

  function rows(start: number, end: number): CsrRows {
    if (turned !== undefined) return start === 0 && end === nRows ? turned : sliceRows(turned, start, end);
    const found = picked.get(`${start} ${end}`);
    if (found !== undefined) return found;
    const all = start === 0 && end === nRows;
    if (all) checkSize(arrays, start, end, arrays.nnz, limits.maxBytes);
    if (fits) {
      turned = turnInMemory(matrix);
      return all ? turned : sliceRows(turned, start, end);
    }
    // All of it is as much as the caller allows; to keep it besides would be twice that.
    if (all) return inBuckets().all();
    const few = sorted === undefined && picks++ < maxPicks ? pick([[start, end]]) : undefined;
    return few?.[0] ?? inBuckets().rows(start, end);
  }

  /** undefined when they are too many to be held. */
  function pick(ranges: readonly (readonly [number, number])[]): CsrRows[] | undefined {
    const picker = createPicker(ranges, nRows, nCols, arrays.dtype, memory);
    visit(matrix, (rows, column, at, to, data) => picker.add(rows, column, at, to, data));
    ranges.forEach(([start, end], i) => {
      checkSize(arrays, start, end, picker.entries(i), limits.maxBytes);
    });
    return picker.rows();
  }

  function inBuckets(): SortedRows {
    sorted ??= sortAll(matrix, turning, limits);
    return sorted;
  }

  return {
    rows,
    expect: (ranges) => {
      if (fits || sorted !== undefined) return;
      const wanted = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
      const found = wanted > nRows * maxPicked ? undefined : pick(ranges);
      if (found === undefined) inBuckets();
      else picked = new Map(found.map((part, i) => [ranges[i]!.join(" "), part]));
    },
    entries: (from, to) => entriesOf(matrix, from, to),
    toCsr: async (options) => {
      if (turned !== undefined) return turned;
      checkSize(arrays, 0, nRows, arrays.nnz, limits.maxBytes);
      if (fits) {
        turned = await turnInParallel(matrix, options);
        return turned;
      }
      sorted ??= await sortInParallel(matrix, turning, limits, options);
      return sorted.all();
    },
    turning,
  };
}

function entriesOf({ arrays, nCols }: ColumnMatrix, from: number, to: number): Entries {
  const offsets = readOffsets(arrays, 0, nCols);
  const rows = readIndices(arrays, from, to);
  const data = readValues(arrays, from, to);
  const columns = new Int32Array(rows.length);
  visitBlock(offsets, from, rows, data, (_rows, column, at, end) => columns.fill(column, at, end));
  return { rows, columns, data };
}
