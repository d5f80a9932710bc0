import { KernelError } from "./errors.ts";
import { checkInteger, checkRows } from "./rows.ts";
import type { CsrRowsLike, Moments } from "./types.ts";

/** Moments of no rows, over `p` columns. */
export function emptyMoments(p: number): Moments {
  checkInteger("the number of columns", p, 0, 2 ** 31 - 1);
  return { n: 0, mean: new Float64Array(p), m2: new Float64Array(p) };
}

/**
 * Adds the rows of a sparse block to `moments`, in place, and returns it. Entries that are not stored count as 0.
 *
 * The block's own mean and squared deviations are formed in two passes over its entries and then merged (Chan, Golub and
 * LeVeque 1983), so no precision is lost to large means.
 *
 * @throws KernelError `invalid_rows`; `invalid_argument` when the widths differ
 */
export function addRows(moments: Moments, rows: CsrRowsLike): Moments {
  checkRows(rows);
  const p = moments.mean.length;
  if (rows.nCols !== p) {
    throw new KernelError("invalid_argument", `expected rows of ${p} columns, found ${rows.nCols}`);
  }
  if (rows.nRows === 0) return moments;
  mergeInto(moments, momentsOfBlock(rows));
  return moments;
}

function momentsOfBlock(rows: CsrRowsLike): Moments {
  const { nRows: n, nCols: p, indices, data } = rows;
  const begin = rows.indptr[0]!;
  const end = rows.indptr[n]!;
  const stored = new Float64Array(p);
  const mean = new Float64Array(p);
  const m2 = new Float64Array(p);
  for (let at = begin; at < end; at++) {
    const column = indices[at]!;
    stored[column]! += 1;
    mean[column]! += data[at]!;
  }
  for (let column = 0; column < p; column++) mean[column]! /= n;
  for (let at = begin; at < end; at++) {
    const column = indices[at]!;
    const deviation = data[at]! - mean[column]!;
    m2[column]! += deviation * deviation;
  }
  for (let column = 0; column < p; column++) m2[column]! += (n - stored[column]!) * mean[column]! ** 2;
  return { n, mean, m2 };
}

function mergeInto(into: Moments, other: Moments): void {
  const n = into.n + other.n;
  if (other.n === 0) return;
  const share = other.n / n;
  const weight = into.n * share;
  for (let column = 0; column < into.mean.length; column++) {
    const delta = other.mean[column]! - into.mean[column]!;
    into.mean[column]! += delta * share;
    into.m2[column]! += other.m2[column]! + delta * delta * weight;
  }
  into.n = n;
}

/**
 * Moments of the rows of both, as a new value.
 * The order of merging changes the result only by rounding (about 1e-15 relative).
 *
 * @throws KernelError `invalid_argument` when the widths differ
 */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.mean.length !== b.mean.length) {
    throw new KernelError(
      "invalid_argument",
      `cannot merge moments of ${a.mean.length} and ${b.mean.length} columns`,
    );
  }
  const merged: Moments = { n: a.n, mean: a.mean.slice(), m2: a.m2.slice() };
  mergeInto(merged, b);
  return merged;
}

/**
 * Variance per column, `m2 / (n − ddof)`, length p. Columns that differ from their mean by no more than rounding give exactly 0.
 * @throws KernelError `not_enough_rows` unless n > ddof
 */
export function variance(moments: Moments, ddof = 1): Float64Array {
  checkInteger("ddof", ddof, 0);
  if (moments.n <= ddof) {
    throw new KernelError(
      "not_enough_rows",
      `a variance with ddof ${ddof} needs at least ${ddof + 1} rows, found ${moments.n}`,
    );
  }
  const out = new Float64Array(moments.mean.length);
  for (let column = 0; column < out.length; column++) {
    const value = moments.m2[column]! / (moments.n - ddof);
    // A constant column leaves (n · ulp)² behind when its mean cannot be represented exactly.
    const noise = (1e-13 * moments.mean[column]!) ** 2;
    out[column] = value > noise ? value : 0;
  }
  return out;
}
