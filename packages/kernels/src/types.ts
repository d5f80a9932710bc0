/**
 * Rows of a sparse matrix, in compressed sparse row form.
 *
 * Row `r` owns the entries `indptr[r] … indptr[r + 1] - 1` of `indices` (columns) and `data` (values). A column appears at
 * most once in a row; columns of a row may be in any order. `indptr[0]` need not be 0, so a range of a larger matrix can be
 * passed without copying.
 */
export interface CsrRowsLike {
  readonly nRows: number;
  readonly nCols: number;
  /** nRows + 1 offsets into `indices` and `data`. */
  readonly indptr: Float64Array;
  readonly indices: Int32Array;
  readonly data: Float32Array | Float64Array;
}

/** How counts become the values a model sees: `targetSum · x / (total + epsilon)`, then the natural `log1p`. */
export interface Normalization {
  /** Counts per cell after scaling; 1e4 in every model of this system. */
  readonly targetSum: number;
  readonly log1p: true;
  readonly epsilon: 1e-6;
}

/** Per-column count, mean and sum of squared deviations (float64), mergeable in any order. */
export interface Moments {
  /** Rows seen. */
  n: number;
  readonly mean: Float64Array;
  /** Σ (x − mean)², per column. */
  readonly m2: Float64Array;
}

/** Sufficient statistics of a PCA over `p` selected columns; two of them add up to the statistics of all their rows. */
export interface GramState {
  /** Rows seen. */
  n: number;
  readonly p: number;
  /** Column sums, length p. */
  readonly sum: Float64Array;
  /** Σ xᵢ·xⱼ, row-major p × p; only the entries with i ≤ j are kept, the others stay 0. */
  readonly gram: Float64Array;
}

export type PcaScale = "none" | "unit-variance";

export interface PcaModel {
  readonly nComponents: number;
  readonly p: number;
  readonly scale: PcaScale;
  /** nComponents × p, row-major; rows are orthonormal, the entry of largest magnitude of each is positive. */
  readonly components: Float32Array;
  /** Length p. */
  readonly mean: Float64Array;
  /** The divisor applied after centring, length p: 1 everywhere when `scale` is "none", and 1 for constant columns. */
  readonly std: Float64Array;
  /** Sample variance (ddof 1) of each column before scaling, length p. */
  readonly variance: Float64Array;
  /** Length nComponents, descending (ddof 1). */
  readonly explainedVariance: Float64Array;
  readonly explainedVarianceRatio: Float64Array;
  /** Sum of the variances of all columns after scaling. */
  readonly totalVariance: number;
}

export interface Eigenpairs {
  /** Descending. */
  readonly values: Float64Array;
  /** k × n, row-major: row i is the unit eigenvector of `values[i]`. */
  readonly vectors: Float64Array;
}

/** What `buildPcaOnnx` writes into a model file. */
export interface PcaOnnxSpec {
  /** The feature schema, in the order of the `counts` input (G ids). */
  readonly featureIds: readonly string[];
  /** Positions in the schema of the p columns the PCA was fitted on. */
  readonly selected: Int32Array;
  readonly mean: Float64Array;
  readonly std: Float64Array;
  readonly components: Float32Array;
  readonly targetSum: number;
  readonly nComponents: number;
  /** Anything else to carry along; keys beginning with "cytomesh." are reserved. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A loaded embedding model. Calls may overlap; `close` frees the native session. */
export interface OnnxRunner {
  readonly metadata: Readonly<Record<string, string>>;
  readonly nFeatures: number;
  readonly nComponents: number;
  /** counts n × nFeatures row-major, totals n → embedding n × nComponents row-major. */
  run(counts: Float32Array, totals: Float32Array, n: number): Promise<Float32Array>;
  /** The same from sparse rows, made dense at most 256 rows at a time. */
  embedRows(
    rows: CsrRowsLike,
    totals: Float32Array | Float64Array,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Float32Array>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
