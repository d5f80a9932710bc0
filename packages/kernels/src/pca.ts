import { type EigenOptions, fixSign, topEigenpairs } from "./eigen.ts";
import { KernelError } from "./errors.ts";
import { checkInteger } from "./rows.ts";
import type { Eigenpairs, GramState, PcaModel, PcaScale } from "./types.ts";

/** Orders up to which the exact rank is worked out for the message when too many components are asked for. */
const RANK_ORDER = 1200;

export interface PcaOptions extends EigenOptions {
  readonly nComponents: number;
  /** "unit-variance" divides each centred column by its sample standard deviation (ddof 1); constant columns by 1. */
  readonly scale: PcaScale;
}

/**
 * The exact principal components of all the rows a Gram state has seen.
 *
 * The covariance (ddof 1) is formed from the sums, scaled if asked, and its leading eigenpairs taken. Columns whose variance is
 * rounding noise count as constant: they get loadings of 0 and never a NaN.
 *
 * @throws KernelError `not_enough_rows` (n < 2); `too_many_components`, whose `maxComponents` is the largest number possible:
 *   the numerical rank, at most min(p, n − 1)
 */
export function finalizePca(state: GramState, options: PcaOptions): PcaModel {
  const { nComponents, scale } = options;
  const { n, p } = state;
  checkInteger("nComponents", nComponents, 1);
  if (scale !== "none" && scale !== "unit-variance") {
    throw new KernelError(
      "invalid_argument",
      `expected scale "none" or "unit-variance", found ${String(scale)}`,
    );
  }
  if (n < 2) throw new KernelError("not_enough_rows", `a PCA needs at least 2 rows, found ${n}`);
  const mean = state.sum.map((total) => total / n);
  const variance = columnVariances(state, mean);
  const std = variance.map((value) => (scale === "unit-variance" && value > 0 ? Math.sqrt(value) : 1));
  const covariance = covarianceMatrix(state, mean, variance, std);
  let totalVariance = 0;
  let energy = 0;
  for (let i = 0; i < p; i++) {
    totalVariance += covariance[i * p + i]!;
    energy += (mean[i]! / std[i]!) ** 2;
  }
  // What rounding alone can put into an eigenvalue: of the decomposition, and of the sums the covariance came from.
  const noise = (largest: number) =>
    Math.max((options.tolerance ?? 1e-10) * largest, Number.EPSILON * (16 * p * largest + 64 * energy));
  const pairs = leadingPairs(covariance, state, variance, options, noise);
  return {
    nComponents,
    p,
    scale,
    components: roundComponents(pairs.vectors, p),
    mean,
    std,
    variance,
    explainedVariance: pairs.values,
    explainedVarianceRatio: pairs.values.map((value) => value / totalVariance),
    totalVariance,
  };
}

function leadingPairs(
  covariance: Float64Array,
  state: GramState,
  variance: Float64Array,
  options: PcaOptions,
  noise: (largest: number) => number,
): Eigenpairs {
  const { n, p } = state;
  const k = options.nComponents;
  const bound = Math.min(
    p,
    n - 1,
    variance.reduce((count, value) => count + (value > 0 ? 1 : 0), 0),
  );
  const rankOf = (values: Float64Array) => values.filter((value) => value > noise(values[0]!)).length;
  if (k > bound) {
    const exact = bound > 0 && p <= RANK_ORDER;
    throw tooMany(k, exact ? rankOf(topEigenpairs(covariance, p, bound, options).values) : bound, state);
  }
  const pairs = topEigenpairs(covariance, p, k, options);
  const rank = rankOf(pairs.values);
  if (rank < k) throw tooMany(k, rank, state);
  return pairs;
}

function tooMany(k: number, maxComponents: number, { n, p }: GramState): KernelError {
  return new KernelError(
    "too_many_components",
    `${k} components asked for, but ${n} rows of ${p} selected genes hold at most ${maxComponents}: ask for fewer`,
    { maxComponents },
  );
}

function columnVariances({ n, p, gram }: GramState, mean: Float64Array): Float64Array {
  return mean.map((value, i) => {
    const meanSquare = gram[i * p + i]! / n;
    const spread = meanSquare - value * value;
    // The difference of two sums of n terms is known to about √n roundings of the larger.
    const noise = 64 * Math.sqrt(n) * Number.EPSILON * meanSquare;
    return spread > noise ? spread * (n / (n - 1)) : 0;
  });
}

/** Full symmetric p × p covariance of the scaled columns; rows and columns of constant genes are 0. */
function covarianceMatrix(
  { n, p, gram }: GramState,
  mean: Float64Array,
  variance: Float64Array,
  std: Float64Array,
): Float64Array {
  const out = new Float64Array(p * p);
  for (let i = 0; i < p; i++) {
    if (variance[i] === 0) continue;
    out[i * p + i] = variance[i]! / (std[i]! * std[i]!);
    for (let j = i + 1; j < p; j++) {
      if (variance[j] === 0) continue;
      const covariance = (gram[i * p + j]! - n * mean[i]! * mean[j]!) / (n - 1) / (std[i]! * std[j]!);
      out[i * p + j] = covariance;
      out[j * p + i] = covariance;
    }
  }
  return out;
}

/** To float32, with the sign rule applied to the rounded entries: rounding can make two magnitudes equal. */
function roundComponents(vectors: Float64Array, p: number): Float32Array {
  const components = Float32Array.from(vectors);
  for (let at = 0; at < components.length; at += p) fixSign(components.subarray(at, at + p));
  return components;
}
