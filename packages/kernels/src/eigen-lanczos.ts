import { descendingOrder, tridiagonalQl } from "./eigen-dense.ts";
import { KernelError } from "./errors.ts";
import { gaussianSource } from "./random.ts";
import type { Eigenpairs } from "./types.ts";

/** Steps a search of the complement takes at least before it may report that nothing large is left. */
const MIN_SEARCH_STEPS = 40;

interface Pair {
  readonly value: number;
  readonly vector: Float64Array;
}

interface Krylov {
  readonly basis: Float64Array[];
  readonly diagonal: number[];
  /** Entry i couples basis vectors i and i + 1; the last is the norm of what is left over. */
  readonly offDiagonal: number[];
}

interface Problem {
  readonly matrix: Float64Array;
  readonly n: number;
  readonly tolerance: number;
  readonly random: () => number;
}

/**
 * The k largest eigenpairs of a symmetric matrix. See `topEigenpairs`.
 *
 * A Krylov space from one vector sees one direction of each eigenspace. After the first run the pairs found are locked and the
 * complement is searched from a fresh vector until its largest eigenvalue is below the k-th found.
 */
export function lanczosEigenpairs(
  matrix: Float64Array,
  n: number,
  k: number,
  tolerance: number,
  seed: number,
): Eigenpairs {
  const problem: Problem = { matrix, n, tolerance, random: gaussianSource(seed) };
  const allConverged = (ritz: Ritz[]) =>
    ritz.length >= k && ritz.slice(0, k).every((pair) => pair.residual <= pair.accept);
  let locked = runLanczos(problem, [], allConverged).slice(0, k).map(materialise);
  while (locked.length < n) {
    const floor = locked.length < k ? -Infinity : locked[k - 1]!.value;
    const found = runLanczos(problem, locked, (ritz, steps) => {
      const top = ritz[0]!;
      return top.residual <= top.accept || (steps >= MIN_SEARCH_STEPS && top.value + top.residual < floor);
    });
    const top = found[0]!;
    if (locked.length >= k && top.value <= floor + tolerance * Math.abs(floor)) break;
    locked = [...locked, materialise(top)].sort((a, b) => b.value - a.value);
  }
  const best = locked.slice(0, k);
  for (const pair of best) checkResidual(problem, pair, Math.abs(best[0]!.value));
  const vectors = new Float64Array(k * n);
  best.forEach((pair, i) => {
    vectors.set(pair.vector, i * n);
  });
  return { values: Float64Array.from(best, (pair) => pair.value), vectors };
}

/** Forms the vector, letting go of the Krylov space behind it. */
function materialise(pair: Pair): Pair {
  return { value: pair.value, vector: pair.vector };
}

interface Ritz {
  readonly value: number;
  readonly residual: number;
  /** The largest residual that counts as converged. */
  readonly accept: number;
}

/** Extends a Krylov space orthogonal to `locked` until `done`; returns its Ritz pairs, values descending. */
function runLanczos(
  problem: Problem,
  locked: readonly Pair[],
  done: (ritz: Ritz[], steps: number) => boolean,
): Pair[] {
  const space: Krylov = { basis: [], diagonal: [], offDiagonal: [] };
  const limit = problem.n - locked.length;
  let next = freshDirection(problem, locked, space.basis);
  while (next !== undefined) {
    next = extend(problem, locked, space, next);
    const steps = space.basis.length;
    if (steps >= limit || next === undefined) break;
    // A check costs O(steps²), so it is made less often as the space grows.
    if (steps % Math.max(4, steps >> 4) === 0 && done(ritzValues(space, problem.tolerance), steps)) break;
  }
  return ritzPairs(space, problem.n);
}

/** Adds `direction` to the basis and returns the next one, or undefined when the whole space is spanned. */
function extend(
  problem: Problem,
  locked: readonly Pair[],
  space: Krylov,
  direction: Float64Array,
): Float64Array | undefined {
  const { matrix, n } = problem;
  space.basis.push(direction);
  const image = multiply(matrix, n, direction);
  space.diagonal.push(dot(image, direction));
  const before = Math.sqrt(dot(image, image));
  orthogonalise(image, locked, space.basis);
  const norm = Math.sqrt(dot(image, image));
  if (norm > before * n * Number.EPSILON && norm > 1e-290) {
    space.offDiagonal.push(norm);
    for (let i = 0; i < n; i++) image[i]! /= norm;
    return image;
  }
  // The space is invariant: go on in a direction it does not hold, uncoupled from it.
  space.offDiagonal.push(0);
  return freshDirection(problem, locked, space.basis);
}

function freshDirection(
  problem: Problem,
  locked: readonly Pair[],
  basis: readonly Float64Array[],
): Float64Array | undefined {
  if (locked.length + basis.length >= problem.n) return undefined;
  const vector = Float64Array.from({ length: problem.n }, problem.random);
  orthogonalise(vector, locked, basis);
  const norm = Math.sqrt(dot(vector, vector));
  for (let i = 0; i < vector.length; i++) vector[i]! /= norm;
  orthogonalise(vector, locked, basis);
  const again = Math.sqrt(dot(vector, vector));
  for (let i = 0; i < vector.length; i++) vector[i]! /= again;
  return vector;
}

/** Removes the components along the given orthonormal vectors; twice is enough (Kahan, Parlett). */
function orthogonalise(vector: Float64Array, locked: readonly Pair[], basis: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass++) {
    for (const pair of locked) subtractProjection(vector, pair.vector);
    for (let i = basis.length - 1; i >= 0; i--) subtractProjection(vector, basis[i]!);
  }
}

function subtractProjection(vector: Float64Array, onto: Float64Array): void {
  const overlap = dot(vector, onto);
  for (let i = 0; i < vector.length; i++) vector[i]! -= overlap * onto[i]!;
}

function ritzValues(space: Krylov, tolerance: number): Ritz[] {
  const steps = space.diagonal.length;
  const diagonal = Float64Array.from(space.diagonal);
  const last = new Float64Array(steps);
  last[steps - 1] = 1;
  tridiagonalQl(diagonal, Float64Array.from(space.offDiagonal), last, 1);
  const scale = diagonal.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const leftOver = space.offDiagonal[steps - 1]!;
  return descendingOrder(diagonal).map((i) => ({
    value: diagonal[i]!,
    residual: Math.abs(leftOver * last[i]!),
    accept: tolerance * scale,
  }));
}

function ritzPairs(space: Krylov, n: number): Pair[] {
  const steps = space.diagonal.length;
  const diagonal = Float64Array.from(space.diagonal);
  const mixing = new Float64Array(steps * steps);
  for (let i = 0; i < steps; i++) mixing[i * steps + i] = 1;
  tridiagonalQl(diagonal, Float64Array.from(space.offDiagonal), mixing, steps);
  return descendingOrder(diagonal).map((i) => {
    let vector: Float64Array | undefined;
    return {
      value: diagonal[i]!,
      // Most Ritz pairs are thrown away: a vector is formed when it is first asked for.
      get vector() {
        vector ??= combine(space.basis, mixing.subarray(i * steps, (i + 1) * steps), n);
        return vector;
      },
    };
  });
}

function combine(basis: readonly Float64Array[], weights: Float64Array, n: number): Float64Array {
  const out = new Float64Array(n);
  basis.forEach((vector, j) => {
    const weight = weights[j]!;
    for (let i = 0; i < n; i++) out[i]! += weight * vector[i]!;
  });
  const norm = Math.sqrt(dot(out, out));
  for (let i = 0; i < n; i++) out[i]! /= norm;
  return out;
}

function checkResidual(problem: Problem, pair: Pair, scale: number): void {
  const image = multiply(problem.matrix, problem.n, pair.vector);
  let squared = 0;
  for (let i = 0; i < image.length; i++) squared += (image[i]! - pair.value * pair.vector[i]!) ** 2;
  const allowed =
    100 * Math.max(problem.tolerance, problem.n * Number.EPSILON) * Math.max(scale, Number.EPSILON);
  if (Math.sqrt(squared) > allowed) {
    throw new KernelError(
      "not_converged",
      `eigenvalue ${pair.value} has residual ${Math.sqrt(squared)}, above ${allowed}: raise the tolerance`,
    );
  }
}

function multiply(matrix: Float64Array, n: number, vector: Float64Array): Float64Array {
  const out = new Float64Array(n);
  for (let row = 0; row < n; row++) out[row] = dotAt(matrix, row * n, vector);
  return out;
}

function dot(a: Float64Array, b: Float64Array): number {
  return dotAt(a, 0, b);
}

/** Four running sums: shorter dependency chains, and less rounding than one. */
function dotAt(a: Float64Array, offset: number, b: Float64Array): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const whole = b.length & ~3;
  let i = 0;
  for (; i < whole; i += 4) {
    s0 += a[offset + i]! * b[i]!;
    s1 += a[offset + i + 1]! * b[i + 1]!;
    s2 += a[offset + i + 2]! * b[i + 2]!;
    s3 += a[offset + i + 3]! * b[i + 3]!;
  }
  for (; i < b.length; i++) s0 += a[offset + i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
}
