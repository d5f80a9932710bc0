// Seeded fixtures and naive dense oracles for the tests of this package; nothing else imports this file.
import { gaussianSource, uniformSource } from "./random.ts";
import type { CsrRowsLike } from "./types.ts";

export interface TestRows extends CsrRowsLike {
  readonly data: Float32Array;
}

/** Counts of cells in a few groups, each with its own expression profile; about `density` of the entries are not 0. */
export function syntheticCounts(nRows: number, nCols: number, seed: number, density = 0.3): TestRows {
  const uniform = uniformSource(seed);
  const groups = 4;
  const rates = Array.from({ length: groups * nCols }, () => -Math.log(1 - uniform()) * 3);
  const indptr = new Float64Array(nRows + 1);
  const indices: number[] = [];
  const data: number[] = [];
  for (let row = 0; row < nRows; row++) {
    const group = Math.floor(uniform() * groups);
    for (let column = 0; column < nCols; column++) {
      const draw = uniform();
      if (uniform() > density) continue;
      const count = Math.ceil(-Math.log(1 - draw) * rates[group * nCols + column]!);
      if (count === 0) continue;
      indices.push(column);
      data.push(count);
    }
    indptr[row + 1] = indices.length;
  }
  return { nRows, nCols, indptr, indices: Int32Array.from(indices), data: Float32Array.from(data) };
}

export function fromDense(dense: readonly (readonly number[])[]): CsrRowsLike & { data: Float64Array } {
  const indptr = new Float64Array(dense.length + 1);
  const indices: number[] = [];
  const data: number[] = [];
  dense.forEach((row, r) => {
    row.forEach((value, column) => {
      if (value === 0) return;
      indices.push(column);
      data.push(value);
    });
    indptr[r + 1] = indices.length;
  });
  return {
    nRows: dense.length,
    nCols: dense[0]?.length ?? 0,
    indptr,
    indices: Int32Array.from(indices),
    data: Float64Array.from(data),
  };
}

export function toDense(rows: CsrRowsLike): number[][] {
  return Array.from({ length: rows.nRows }, (_, row) => {
    const out = new Array<number>(rows.nCols).fill(0);
    for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++)
      out[rows.indices[at]!] = rows.data[at]!;
    return out;
  });
}

/** Rows first … end − 1, sharing the arrays of the whole. */
export function sliceRows<T extends CsrRowsLike>(rows: T, first: number, end: number): T {
  return { ...rows, nRows: end - first, indptr: rows.indptr.slice(first, end + 1) };
}

export function identityMap(p: number): Int32Array {
  return Int32Array.from({ length: p }, (_, i) => i);
}

/** A random symmetric matrix with exactly these eigenvalues (up to rounding). */
export function withSpectrum(eigenvalues: readonly number[], seed: number): Float64Array {
  const n = eigenvalues.length;
  const normal = gaussianSource(seed);
  const q: number[][] = [];
  for (let i = 0; i < n; i++) {
    const v = Array.from({ length: n }, normal);
    for (let pass = 0; pass < 2; pass++) {
      for (const u of q) {
        const overlap = u.reduce((sum, x, j) => sum + x * v[j]!, 0);
        u.forEach((x, j) => {
          v[j]! -= overlap * x;
        });
      }
    }
    const norm = Math.hypot(...v);
    q.push(v.map((x) => x / norm));
  }
  const out = new Float64Array(n * n);
  q.forEach((u, i) => {
    for (let a = 0; a < n; a++) {
      const weight = eigenvalues[i]! * u[a]!;
      for (let b = 0; b < n; b++) out[a * n + b]! += weight * u[b]!;
    }
  });
  for (let a = 0; a < n; a++) for (let b = 0; b < a; b++) out[a * n + b] = out[b * n + a]!;
  return out;
}

/** Every eigenvalue and eigenvector of a small symmetric matrix by cyclic Jacobi rotations, values descending. */
export function jacobiEigen(matrix: Float64Array, n: number): { values: number[]; vectors: number[][] } {
  const a = Array.from({ length: n }, (_, i) => Array.from(matrix.subarray(i * n, (i + 1) * n)));
  const v = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        off += a[p]![q]! ** 2;
        if (a[p]![q] === 0) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) {
          const x = a[k]![p]!;
          a[k]![p] = c * x - s * a[k]![q]!;
          a[k]![q] = s * x + c * a[k]![q]!;
        }
        for (const rows of [a, v]) {
          for (let k = 0; k < n; k++) {
            const x = rows[p]![k]!;
            rows[p]![k] = c * x - s * rows[q]![k]!;
            rows[q]![k] = s * x + c * rows[q]![k]!;
          }
        }
      }
    }
    if (off < 1e-26) break;
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((x, y) => a[y]![y]! - a[x]![x]!);
  return { values: order.map((i) => a[i]![i]!), vectors: order.map((i) => v[i]!) };
}
