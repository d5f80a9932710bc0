import { denseEigenpairs } from "./eigen-dense.ts";
import { lanczosEigenpairs } from "./eigen-lanczos.ts";
import { KernelError } from "./errors.ts";
import { checkInteger } from "./rows.ts";
import type { Eigenpairs } from "./types.ts";

/** Below this the full decomposition is as quick as a Krylov space. */
const DENSE_ORDER = 256;
/** Up to this the full decomposition takes seconds, and is preferred when a large share of the pairs is wanted. */
const DENSE_ORDER_MANY = 1200;

export interface EigenOptions {
  /** Largest accepted residual ‖A·v − λ·v‖, relative to the largest |eigenvalue|. Default 1e-10. */
  readonly tolerance?: number;
  /** Of the random starting vectors. Default 1. The same input and seed give the same bits. */
  readonly seed?: number;
}

/**
 * The `k` algebraically largest eigenvalues of a symmetric matrix and their eigenvectors.
 *
 * Small matrices are decomposed in full; for larger ones a Lanczos process with full reorthogonalisation runs until every wanted
 * residual is below the tolerance, then searches what is orthogonal to the pairs found for further copies of repeated
 * eigenvalues. The entry of largest magnitude of each vector (the first of equals) is positive.
 *
 * @param matrix n × n row-major, both triangles
 * @throws KernelError `invalid_argument` (shape, NaN, not symmetric), `not_converged`
 */
export function topEigenpairs(
  matrix: Float64Array,
  n: number,
  k: number,
  options: EigenOptions = {},
): Eigenpairs {
  checkInteger("the order of the matrix", n, 1);
  checkInteger("k", k, 1, n);
  const norm = checkSymmetric(matrix, n);
  const { tolerance = 1e-10, seed = 1 } = options;
  if (!(tolerance > 0 && tolerance < 1)) {
    throw new KernelError("invalid_argument", `expected a tolerance between 0 and 1, found ${tolerance}`);
  }
  const dense = n <= DENSE_ORDER || (n <= DENSE_ORDER_MANY && k * 4 > n);
  // Squares of tiny or huge entries would leave the range of float64: such matrices are scaled to norm 1.
  const unit = norm > 0 && (norm < 1e-100 || norm > 1e100) ? norm : 1;
  const scaled = unit === 1 ? matrix : matrix.map((value) => value / unit);
  const pairs = dense ? denseEigenpairs(scaled, n) : lanczosEigenpairs(scaled, n, k, tolerance, seed);
  const values = pairs.values.slice(0, k).map((value) => value * unit);
  const vectors = pairs.vectors.slice(0, k * n);
  for (let i = 0; i < k; i++) fixSign(vectors.subarray(i * n, (i + 1) * n));
  return { values, vectors };
}

/** Flips the vector when its entry of largest magnitude (the first of equals) is negative. */
export function fixSign(vector: Float64Array | Float32Array): void {
  let largest = 0;
  for (let i = 1; i < vector.length; i++) {
    if (Math.abs(vector[i]!) > Math.abs(vector[largest]!)) largest = i;
  }
  if (vector[largest]! < 0) for (let i = 0; i < vector.length; i++) vector[i] = -vector[i]!;
}

/** Returns the largest magnitude in the matrix. */
function checkSymmetric(matrix: Float64Array, n: number): number {
  if (matrix.length !== n * n) {
    throw new KernelError("invalid_argument", `expected ${n} × ${n} numbers, found ${matrix.length}`);
  }
  let norm = 0;
  for (let at = 0; at < matrix.length; at++) {
    const magnitude = Math.abs(matrix[at]!);
    if (!(magnitude < Infinity)) {
      const row = Math.floor(at / n);
      const column = at - row * n;
      throw new KernelError(
        "invalid_argument",
        `the matrix holds ${matrix[at]} at row ${row}, column ${column}`,
        {
          row,
          column,
        },
      );
    }
    if (magnitude > norm) norm = magnitude;
  }
  for (let row = 0; row < n; row++) {
    for (let column = row + 1; column < n; column++) {
      if (Math.abs(matrix[row * n + column]! - matrix[column * n + row]!) > 1e-9 * norm) {
        throw new KernelError(
          "invalid_argument",
          `the matrix is not symmetric at row ${row}, column ${column}`,
          {
            row,
            column,
          },
        );
      }
    }
  }
  return norm;
}
