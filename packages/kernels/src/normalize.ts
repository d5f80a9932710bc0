import { KernelError } from "./errors.ts";
import { checkRows, checkTotals } from "./rows.ts";
import type { CsrRowsLike, Normalization } from "./types.ts";

/** Cellarium's NormalizeTotal followed by Log1p; the epsilon keeps empty cells finite. */
export const DEFAULT_NORMALIZATION: Normalization = { targetSum: 10_000, log1p: true, epsilon: 1e-6 };

/**
 * Sum of each row, float64, length nRows.
 * @throws KernelError `invalid_rows`
 */
export function totalsOf(rows: CsrRowsLike): Float64Array {
  checkRows(rows);
  const totals = new Float64Array(rows.nRows);
  for (let row = 0; row < rows.nRows; row++) {
    let total = 0;
    for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++) total += rows.data[at]!;
    totals[row] = total;
  }
  return totals;
}

/**
 * `targetSum · x / (total + 1e-6)` without the logarithm: what dispersion-based gene selection works on.
 * The result shares `indptr` and `indices` with the input; its data are new float64.
 *
 * @param totals counts per row over all genes, including those outside these columns
 * @throws KernelError `invalid_rows` on negative or non-finite counts or totals
 */
export function normalizeTotal(
  rows: CsrRowsLike,
  totals: Float64Array,
  targetSum: number = DEFAULT_NORMALIZATION.targetSum,
): CsrRowsLike & { readonly data: Float64Array } {
  checkRows(rows, true);
  checkTotals(totals, rows.nRows);
  checkTargetSum(targetSum);
  const data = new Float64Array(rows.data.length);
  for (let row = 0; row < rows.nRows; row++) {
    const divisor = totals[row]! + DEFAULT_NORMALIZATION.epsilon;
    for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++) {
      data[at] = Math.min((targetSum * rows.data[at]!) / divisor, Number.MAX_VALUE);
    }
  }
  return { nRows: rows.nRows, nCols: rows.nCols, indptr: rows.indptr, indices: rows.indices, data };
}

/**
 * `log1p(targetSum · x / (total + 1e-6))`, the values every model of this system is fitted on.
 * The result shares `indptr` and `indices` with the input; its data are new float64.
 *
 * @throws KernelError `invalid_rows` on negative or non-finite counts or totals
 */
export function normalizeLog1p(
  rows: CsrRowsLike,
  totals: Float64Array,
  targetSum: number = DEFAULT_NORMALIZATION.targetSum,
): CsrRowsLike & { readonly data: Float64Array } {
  const normalized = normalizeTotal(rows, totals, targetSum);
  log1pInPlace(normalized.data);
  return normalized;
}

/** Natural `log(1 + x)` of every entry, in place: turns the result of `normalizeTotal` into that of `normalizeLog1p`. */
export function log1pInPlace(data: Float64Array): void {
  for (let at = 0; at < data.length; at++) data[at] = Math.log1p(data[at]!);
}

export function checkTargetSum(targetSum: number): void {
  if (!(targetSum > 0 && targetSum < Infinity)) {
    throw new KernelError("invalid_argument", `expected a positive target sum, found ${targetSum}`);
  }
}
