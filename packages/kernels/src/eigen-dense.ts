import { KernelError } from "./errors.ts";
import type { Eigenpairs } from "./types.ts";

const MAX_SWEEPS = 60;

/**
 * Sweeps after which a coupling counts as nothing when it is nothing beside the whole matrix, and not only beside its neighbours. Eigenvalues
 * that are 0 but for rounding, as a rank-deficient matrix has by the dozen, may never decouple by the stricter rule, which the others meet
 * in two or three sweeps.
 */
const STRICT_SWEEPS = 10;

/**
 * Every eigenpair of a symmetric matrix, values descending: Householder reduction to tridiagonal form, then implicitly shifted
 * QL (Golub and Van Loan, 8.3). O(n³); meant for n up to about a thousand.
 *
 * @param matrix n × n row-major; not changed
 */
export function denseEigenpairs(matrix: Float64Array, n: number): Eigenpairs {
  const { diagonal, offDiagonal, rotation } = tridiagonalise(matrix, n);
  tridiagonalQl(diagonal, offDiagonal, rotation, n);
  const order = descendingOrder(diagonal);
  const vectors = new Float64Array(n * n);
  const values = Float64Array.from(order, (from) => diagonal[from]!);
  order.forEach((from, to) => {
    vectors.set(rotation.subarray(from * n, (from + 1) * n), to * n);
  });
  return { values, vectors };
}

/** Indices of `values` from the largest to the smallest, ties by index. */
export function descendingOrder(values: Float64Array): number[] {
  return Array.from(values, (_, i) => i).sort((a, b) => values[b]! - values[a]! || a - b);
}

/**
 * Eigenvalues of a symmetric tridiagonal matrix, in place in `diagonal` (unsorted).
 *
 * `z` has one row of `width` numbers per diagonal entry. Starting from the identity, its rows become the eigenvectors; starting
 * from some of its columns, they become just those components, which makes the O(n²) residual check of Lanczos possible.
 *
 * @param offDiagonal length n; entry i couples i and i + 1; overwritten
 * @throws KernelError `not_converged`
 */
export function tridiagonalQl(
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  z: Float64Array,
  width: number,
): void {
  const n = diagonal.length;
  if (n > 0) offDiagonal[n - 1] = 0;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(diagonal[i]!) + Math.abs(offDiagonal[i]!));
  for (let low = 0; low < n; low++) {
    for (let sweep = 0; ; sweep++) {
      const negligible = sweep < STRICT_SWEEPS ? 1e-290 : Math.max(Number.EPSILON * norm, 1e-290);
      const high = firstDecoupled(diagonal, offDiagonal, low, negligible);
      if (high === low) break;
      if (sweep === MAX_SWEEPS) {
        throw new KernelError("not_converged", `no eigenvalue after ${MAX_SWEEPS} QL sweeps of order ${n}`);
      }
      qlSweep(diagonal, offDiagonal, z, width, low, high);
    }
  }
}

function firstDecoupled(
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  low: number,
  negligible: number,
): number {
  let at = low;
  for (; at < diagonal.length - 1; at++) {
    const scale = Math.abs(diagonal[at]!) + Math.abs(diagonal[at + 1]!);
    if (Math.abs(offDiagonal[at]!) <= Math.max(Number.EPSILON * scale, negligible)) break;
  }
  return at;
}

/** One implicit QL step on the block low … high, with the Wilkinson-like shift from its top. */
function qlSweep(
  diagonal: Float64Array,
  offDiagonal: Float64Array,
  z: Float64Array,
  width: number,
  low: number,
  high: number,
): void {
  const half = (diagonal[low + 1]! - diagonal[low]!) / (2 * offDiagonal[low]!);
  const root = Math.hypot(half, 1);
  const shift = diagonal[low]! - offDiagonal[low]! / (half + (half < 0 ? -root : root));
  let bulge = diagonal[high]! - shift;
  let sin = 1;
  let cos = 1;
  let carry = 0;
  for (let i = high - 1; i >= low; i--) {
    const f = sin * offDiagonal[i]!;
    const b = cos * offDiagonal[i]!;
    const r = Math.hypot(f, bulge);
    offDiagonal[i + 1] = r;
    if (r === 0) {
      // The block fell apart on its own: finish the two halves separately.
      diagonal[i + 1]! -= carry;
      offDiagonal[high] = 0;
      return;
    }
    sin = f / r;
    cos = bulge / r;
    const pivot = diagonal[i + 1]! - carry;
    const t = (diagonal[i]! - pivot) * sin + 2 * cos * b;
    carry = sin * t;
    diagonal[i + 1] = pivot + carry;
    bulge = cos * t - b;
    rotateRows(z, width, i, sin, cos);
  }
  diagonal[low]! -= carry;
  offDiagonal[low] = bulge;
  offDiagonal[high] = 0;
}

function rotateRows(z: Float64Array, width: number, row: number, sin: number, cos: number): void {
  const upper = row * width;
  const lower = upper + width;
  for (let k = 0; k < width; k++) {
    const a = z[upper + k]!;
    const b = z[lower + k]!;
    z[lower + k] = sin * a + cos * b;
    z[upper + k] = cos * a - sin * b;
  }
}

/** Householder reduction: matrix = rotationᵀ · T · rotation, T tridiagonal. Rows of `rotation` are what QL then mixes. */
function tridiagonalise(
  matrix: Float64Array,
  n: number,
): { diagonal: Float64Array; offDiagonal: Float64Array; rotation: Float64Array } {
  const a = matrix.slice();
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(n);
  const reflectors: { vector: Float64Array; beta: number }[] = [];
  for (let step = 0; step < n - 2; step++) {
    const size = n - step - 1;
    const vector = a.slice(step * n + step + 1, (step + 1) * n);
    const { alpha, beta } = householder(vector);
    reflectors.push({ vector, beta });
    offDiagonal[step] = alpha;
    if (beta !== 0) reflectBothSides(a, n, step + 1, size, vector, beta);
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i]!;
  if (n > 1) offDiagonal[n - 2] = a[(n - 2) * n + n - 1]!;
  return { diagonal, offDiagonal, rotation: accumulate(reflectors, n) };
}

/** Turns `x` into the reflector that sends it to (alpha, 0, …); beta is 2 / vᵀv, or 0 when x is already there. */
function householder(x: Float64Array): { alpha: number; beta: number } {
  let tail = 0;
  for (let i = 1; i < x.length; i++) tail += x[i]! * x[i]!;
  const head = x[0]!;
  if (tail === 0) return { alpha: head, beta: 0 };
  const alpha = head > 0 ? -Math.sqrt(head * head + tail) : Math.sqrt(head * head + tail);
  x[0] = head - alpha;
  return { alpha, beta: 2 / (x[0]! * x[0]! + tail) };
}

/** A ← H·A·H on the trailing block: A − v·wᵀ − w·vᵀ. */
function reflectBothSides(
  a: Float64Array,
  n: number,
  from: number,
  size: number,
  v: Float64Array,
  beta: number,
): void {
  const w = new Float64Array(size);
  let overlap = 0;
  for (let i = 0; i < size; i++) {
    const row = (from + i) * n + from;
    let dot = 0;
    for (let j = 0; j < size; j++) dot += a[row + j]! * v[j]!;
    w[i] = beta * dot;
    overlap += w[i]! * v[i]!;
  }
  const correction = (beta / 2) * overlap;
  for (let i = 0; i < size; i++) w[i]! -= correction * v[i]!;
  for (let i = 0; i < size; i++) {
    const row = (from + i) * n + from;
    const vi = v[i]!;
    const wi = w[i]!;
    for (let j = 0; j < size; j++) a[row + j]! -= vi * w[j]! + wi * v[j]!;
  }
}

/** The product of the reflectors, transposed. */
function accumulate(reflectors: { vector: Float64Array; beta: number }[], n: number): Float64Array {
  const rotation = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rotation[i * n + i] = 1;
  // Qᵀ = H_last … H_0 is built from the last reflector on, so that only the trailing block is ever non-trivial.
  for (let step = reflectors.length - 1; step >= 0; step--) {
    const { vector, beta } = reflectors[step]!;
    if (beta === 0) continue;
    const from = step + 1;
    for (let i = from; i < n; i++) {
      const row = i * n + from;
      let dot = 0;
      for (let j = 0; j < vector.length; j++) dot += rotation[row + j]! * vector[j]!;
      dot *= beta;
      for (let j = 0; j < vector.length; j++) rotation[row + j]! -= dot * vector[j]!;
    }
  }
  return rotation;
}
