import { KernelError } from "./errors.ts";
import { checkInteger, checkRows } from "./rows.ts";
import type { CsrRowsLike, GramState } from "./types.ts";

/** 16,384² float64 are 2 GiB: beyond that a Gram matrix is the wrong method. */
const MAX_COLUMNS = 16_384;

/**
 * The statistics of no rows over `p` selected columns (p² float64 of memory).
 * @throws KernelError `too_large` above 16,384 columns
 */
export function emptyGram(p: number): GramState {
  checkInteger("the number of selected columns", p, 0);
  if (p > MAX_COLUMNS) {
    throw new KernelError(
      "too_large",
      `a Gram matrix takes at most ${MAX_COLUMNS} columns, found ${p}: select fewer`,
    );
  }
  return { n: 0, p, sum: new Float64Array(p), gram: new Float64Array(p * p) };
}

/**
 * Adds the rows of a sparse block (log-normalised values) to `state`, in place, and returns it. Rows are taken in order, so the
 * same blocks in the same order give the same bits. A block that fails its checks leaves the state as it was.
 *
 * @param columnMap for each column of `rows` its position among the selected columns, or −1
 * @throws KernelError `invalid_rows`; `invalid_argument` when the map does not fit
 */
export function addRowsToGram(state: GramState, rows: CsrRowsLike, columnMap: Int32Array): GramState {
  checkRows(rows);
  checkColumnMap(columnMap, rows.nCols, state.p);
  const { p, sum, gram } = state;
  const positions = new Int32Array(p);
  const values = new Float64Array(p);
  for (let row = 0; row < rows.nRows; row++) {
    const count = gatherRow(rows, row, columnMap, positions, values);
    for (let a = 0; a < count; a++) {
      const value = values[a]!;
      const base = positions[a]! * p;
      sum[positions[a]!]! += value;
      for (let b = a; b < count; b++) gram[base + positions[b]!]! += value * values[b]!;
    }
  }
  state.n += rows.nRows;
  return state;
}

/** Writes the selected entries of a row, positions ascending; returns how many. */
function gatherRow(
  rows: CsrRowsLike,
  row: number,
  columnMap: Int32Array,
  positions: Int32Array,
  values: Float64Array,
): number {
  let count = 0;
  for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++) {
    const position = columnMap[rows.indices[at]!]!;
    if (position < 0) continue;
    // Insertion keeps them ascending; it moves nothing when the columns of the row and the map already ascend.
    let slot = count++;
    while (slot > 0 && positions[slot - 1]! > position) {
      positions[slot] = positions[slot - 1]!;
      values[slot] = values[slot - 1]!;
      slot--;
    }
    positions[slot] = position;
    values[slot] = rows.data[at]!;
  }
  return count;
}

function checkColumnMap(columnMap: Int32Array, nCols: number, p: number): void {
  if (columnMap.length !== nCols) {
    throw new KernelError(
      "invalid_argument",
      `expected a column map of ${nCols} entries, found ${columnMap.length}`,
    );
  }
  const taken = new Uint8Array(p);
  columnMap.forEach((position, column) => {
    if (position < -1 || position >= p || taken[position] === 1) {
      throw new KernelError(
        "invalid_argument",
        `the column map sends column ${column} to position ${position}: expected −1 or a position below ${p} used once`,
        { column },
      );
    }
    if (position >= 0) taken[position] = 1;
  });
}

/**
 * Statistics of the rows of both, as a new value. `merge(a, b)` and `merge(b, a)` are the same bits; regrouping more than two
 * changes the result only by rounding, so merge in a fixed order where identical bytes matter.
 *
 * @throws KernelError `invalid_argument` when the widths differ
 */
export function mergeGram(a: GramState, b: GramState): GramState {
  if (a.p !== b.p) {
    throw new KernelError("invalid_argument", `cannot merge Gram matrices of ${a.p} and ${b.p} columns`);
  }
  const sum = a.sum.slice();
  const gram = a.gram.slice();
  for (let i = 0; i < sum.length; i++) sum[i]! += b.sum[i]!;
  for (let i = 0; i < gram.length; i++) gram[i]! += b.gram[i]!;
  return { n: a.n + b.n, p: a.p, sum, gram };
}
