import { checkIndices, entryBytes, toValues } from "../compressed-arrays.ts";
import { type MatrixLimits, valueArray } from "../matrix.ts";
import { concatRows, sliceRows } from "../rows.ts";
import type { ParallelOptions } from "../storage.ts";
import type { CsrRows } from "../types.ts";
import { type ColumnMatrix, checkSize, readAhead } from "./blocks.ts";
import { countRows } from "./partition.ts";
import { closeTurnStore, createTurnStore, type TurnStore } from "./store.ts";
import type { Turning } from "./turning.ts";

/** Entries of one bucket on disk, as they come back into memory. */
const maxBucketBytes = 32 * 1024 * 1024;

/** Steps that threads decode together: for one alone they would mostly wait for each other. */
const stepsAhead = 4;

/** Rows of a matrix whose entries were sorted into buckets on disk. */
export interface SortedRows {
  rows(start: number, end: number): CsrRows;
  all(): CsrRows;
}

/** Sorts all entries. @throws AnnDataError "invalid" | "write-failed" */
export function sortAll(matrix: ColumnMatrix, turning: Turning, limits: MatrixLimits): SortedRows {
  const sorting = begin(matrix, turning, limits);
  const { store } = sorting;
  try {
    for (let step = 0; step < store.steps; step++) turning.step(store, step, sorting.seen);
  } catch (error) {
    closeTurnStore(store);
    throw error;
  }
  return sorting.done();
}

/** The same with steps that several threads decode, the next ones while some are sorted. */
export async function sortInParallel(
  matrix: ColumnMatrix,
  turning: Turning,
  limits: MatrixLimits,
  options: ParallelOptions,
): Promise<SortedRows> {
  const { arrays } = matrix;
  const sorting = begin(matrix, turning, limits);
  const { store } = sorting;
  const infos = [arrays.indices, arrays.data];
  try {
    let step = 0;
    const { stepEntries } = store;
    for await (const { from, values } of readAhead(arrays, stepsAhead * stepEntries, infos, options)) {
      const rows = checkIndices(arrays, from, values[0]!);
      const data = toValues(arrays, values[1]!);
      sorting.seen(rows);
      for (let at = 0; at < rows.length; at += stepEntries) {
        turning.sort(store, step++, rows.subarray(at, at + stepEntries), data.subarray(at, at + stepEntries));
      }
    }
  } catch (error) {
    closeTurnStore(store);
    throw error;
  }
  return sorting.done();
}

function begin(matrix: ColumnMatrix, turning: Turning, limits: MatrixLimits) {
  const { arrays, nRows, nCols, blockEntries } = matrix;
  const bucketBytes = Math.min(maxBucketBytes, limits.maxBytes / 4);
  const bucketEntries = Math.max(1, Math.floor(bucketBytes / entryBytes(arrays)));
  const store = createTurnStore(
    turning.plan({ stepEntries: blockEntries, bucketEntries }),
    0,
    limits.tempDir,
  );
  limits.onClose(() => closeTurnStore(store));
  const counted = new Float64Array(nRows + 1);
  const counts = counted.subarray(1);
  return {
    store,
    seen: (rows: Int32Array) => countRows(rows, counts),
    done: (): SortedRows => {
      for (let row = 0; row < nRows; row++) counted[row + 1]! += counted[row]!;
      const load = windows(store, turning, counted, bucketEntries);
      return {
        all: () => turning.all(store),
        rows: (start, end) => {
          checkSize(arrays, start, end, counted[end]! - counted[start]!, limits.maxBytes);
          if (start === end) return emptyRows(nCols, arrays.dtype);
          const parts: CsrRows[] = [];
          for (let row = start; row < end; ) {
            const { from, to, rows } = load(row, end);
            const until = Math.min(end, to);
            parts.push(sliceRows(rows, row - from, until - from));
            row = until;
          }
          return parts.length === 1 ? parts[0]! : concatRows(parts);
        },
      };
    },
  };
}

interface Window {
  from: number;
  to: number;
  rows: CsrRows;
}

/** The rows around one that are read together, kept until others are asked for: its bucket, or what can be held of it. */
function windows(
  store: TurnStore,
  turning: Turning,
  counted: Float64Array,
  mostEntries: number,
): (row: number, end: number) => Window {
  let last: Window | undefined;
  return (row, end) => {
    if (last !== undefined && row >= last.from && row < last.to) return last;
    const width = 2 ** store.shift;
    const from = Math.floor(row / width) * width;
    const to = Math.min(store.nRows, from + width);
    const entries = (a: number, b: number) => counted[b]! - counted[a]!;
    if (entries(from, to) <= mostEntries) last = { from, to, rows: turning.rows(store, from, to) };
    else {
      let until = Math.min(end, to);
      while (until > row + 1 && entries(row, until) > mostEntries) until--;
      while (until < to && entries(row, until + 1) <= mostEntries) until++;
      last = { from: row, to: until, rows: turning.rows(store, row, until) };
    }
    return last;
  };
}

function emptyRows(nCols: number, dtype: string): CsrRows {
  return {
    nRows: 0,
    nCols,
    indptr: new Float64Array(1),
    indices: new Int32Array(0),
    data: valueArray(dtype, 0),
  };
}
