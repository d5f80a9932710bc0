import type { CsrRows } from "./types.ts";

/** A column below 2^31 and a position below this make one exact float64 to sort by. */
const maxPosition = 2 ** 21;

/** Sorts the columns of every row and sums duplicates, as scipy's `sum_duplicates` does. Returns the input when it is in order. */
export function canonicalRows(rows: CsrRows): CsrRows {
  return isCanonical(rows.nRows, rows.nCols, rows.indptr, rows.indices) ? rows : sumDuplicates(rows);
}

/** Whether columns rise within every row, from 0 on and below `nCols`: one look says that they are both sound and in order. */
export function isCanonical(
  nRows: number,
  nCols: number,
  indptr: Float64Array,
  indices: Int32Array,
): boolean {
  for (let row = 0; row < nRows; row++) {
    // A view, so that the loop counts in integers: offsets are float64.
    const columns = indices.subarray(indptr[row]!, indptr[row + 1]!);
    let before = -1;
    // The sign tells of any column that does not rise, or is negative, without a branch for each; "| 0" keeps the sums whole.
    let signs = 0;
    for (let i = 0; i < columns.length; i++) {
      const column = columns[i]!;
      signs = signs | (((column - before) | 0) - 1) | column;
      before = column;
    }
    if (signs < 0 || before >= nCols) return false;
  }
  return true;
}

function sumDuplicates(rows: CsrRows): CsrRows {
  const indptr = new Float64Array(rows.nRows + 1);
  const indices = new Int32Array(rows.indices.length);
  const data = rows.data.slice();
  let longest = 0;
  for (let row = 0; row < rows.nRows; row++) {
    longest = Math.max(longest, rows.indptr[row + 1]! - rows.indptr[row]!);
  }
  const keys = new Float64Array(longest);
  let at = 0;
  for (let row = 0; row < rows.nRows; row++) {
    const from = rows.indptr[row]!;
    const count = rows.indptr[row + 1]! - from;
    const order = sortedOrder(rows.indices, from, count, keys);
    const first = at;
    for (let i = 0; i < count; i++) {
      const position = order(i);
      const column = rows.indices[from + position]!;
      const value = rows.data[from + position]!;
      if (at > first && indices[at - 1] === column) data[at - 1]! += value;
      else {
        indices[at] = column;
        data[at++] = value;
      }
    }
    indptr[row + 1] = at;
  }
  return {
    nRows: rows.nRows,
    nCols: rows.nCols,
    indptr,
    indices: indices.slice(0, at),
    data: data.slice(0, at),
  };
}

/** Positions by column; of one column in the order of the file, so that duplicates are summed as they stand there. */
function sortedOrder(
  indices: Int32Array,
  from: number,
  count: number,
  keys: Float64Array,
): (i: number) => number {
  if (count > maxPosition) {
    const order = Uint32Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => indices[from + a]! - indices[from + b]! || a - b,
    );
    return (i) => order[i]!;
  }
  const mine = keys.subarray(0, count);
  for (let i = 0; i < count; i++) mine[i] = indices[from + i]! * maxPosition + i;
  mine.sort();
  return (i) => mine[i]! % maxPosition;
}
