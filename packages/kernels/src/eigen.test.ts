import assert from "node:assert/strict";
import { test } from "node:test";
import { topEigenpairs } from "./index.ts";
import { uniformSource } from "./random.ts";
import { jacobiEigen, withSpectrum } from "./test-data.ts";

function check(matrix: Float64Array, n: number, expected: readonly number[], tolerance = 1e-9): void {
  const k = expected.length;
  const { values, vectors } = topEigenpairs(matrix, n, k);
  const scale = Math.max(...expected.map(Math.abs), 1e-300);
  expected.forEach((value, i) => {
    assert.ok(
      Math.abs(values[i]! - value) <= tolerance * scale,
      `value ${i}: ${values[i]} instead of ${value}`,
    );
  });
  for (let i = 0; i < k; i++) {
    const v = vectors.subarray(i * n, (i + 1) * n);
    let largest = 0;
    v.forEach((x, j) => {
      if (Math.abs(x) > Math.abs(v[largest]!)) largest = j;
    });
    assert.ok(v[largest]! > 0, "the largest entry is positive");
    for (let j = 0; j <= i; j++) {
      const u = vectors.subarray(j * n, (j + 1) * n);
      const dot = v.reduce((sum, x, at) => sum + x * u[at]!, 0);
      assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-9, `vectors ${i} and ${j}: ${dot}`);
    }
    for (let row = 0; row < n; row++) {
      let image = 0;
      for (let j = 0; j < n; j++) image += matrix[row * n + j]! * v[j]!;
      assert.ok(
        Math.abs(image - values[i]! * v[row]!) <= 1e-8 * scale,
        `residual of pair ${i} in row ${row}`,
      );
    }
  }
}

test("small matrices: the full decomposition agrees with Jacobi rotations", () => {
  for (const n of [1, 2, 3, 10, 40]) {
    const spectrum = Array.from({ length: n }, (_, i) => Math.sin(i * 3.7) * 5);
    const matrix = withSpectrum(spectrum, n);
    check(matrix, n, jacobiEigen(matrix, n).values);
  }
});

test("larger matrices: Lanczos finds the top of the spectrum", () => {
  const spectrum = Array.from({ length: 300 }, (_, i) => 100 / (1 + i) ** 1.3);
  check(withSpectrum(spectrum, 5), 300, spectrum.slice(0, 20));
});

test("Lanczos finds every copy of repeated eigenvalues", () => {
  const spectrum = Array.from({ length: 280 }, (_, i) => (i < 6 ? 9 : i < 10 ? 4 : i < 25 ? 2 : 1 / (i + 1)));
  const matrix = withSpectrum(spectrum, 6);
  check(matrix, 280, spectrum.slice(0, 16));
});

test("the identity, a zero matrix, low rank and extreme scales", () => {
  const n = 270;
  const identity = new Float64Array(n * n);
  for (let i = 0; i < n; i++) identity[i * n + i] = 1;
  check(identity, n, [1, 1, 1, 1]);
  check(new Float64Array(n * n), n, [0, 0, 0]);
  const lowRank = withSpectrum(
    Array.from({ length: n }, (_, i) => (i < 3 ? 3 - i : 0)),
    7,
  );
  check(lowRank, n, [3, 2, 1, 0, 0]);
  check(
    lowRank.map((x) => x * 1e-200),
    n,
    [3e-200, 2e-200],
  );
  check(
    lowRank.map((x) => x * 1e200),
    n,
    [3e200, 2e200],
  );
});

test("Gram matrices of fewer rows than columns, whose other eigenvalues are rounding noise", () => {
  for (const [n, rank] of [
    [230, 79],
    [250, 40],
    [120, 20],
  ] as const) {
    const uniform = uniformSource(n);
    const rows = Float64Array.from({ length: n * rank }, () => (uniform() < 0.3 ? uniform() - 0.5 : 0));
    const gram = new Float64Array(n * n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        for (let k = 0; k < rank; k++) gram[i * n + j]! += rows[i * rank + k]! * rows[j * rank + k]!;
    const { values } = topEigenpairs(gram, n, n);
    const trace = gram.reduce((sum, value, at) => sum + (at % (n + 1) === 0 ? value : 0), 0);
    assert.ok(Math.abs(values.reduce((a, b) => a + b, 0) / trace - 1) < 1e-12);
    values.forEach((value, i) => {
      assert.ok(i < rank ? value > 1e-6 * values[0]! : Math.abs(value) < 1e-13 * values[0]!);
    });
  }
});

test("negative eigenvalues: largest means algebraically largest", () => {
  const spectrum = Array.from({ length: 290 }, (_, i) => 5 - i);
  check(withSpectrum(spectrum, 8), 290, spectrum.slice(0, 8));
});

test("the same matrix and seed give the same bits", () => {
  const matrix = withSpectrum(
    Array.from({ length: 260 }, (_, i) => 1 / (1 + i)),
    9,
  );
  assert.deepEqual(topEigenpairs(matrix, 260, 5, { seed: 3 }), topEigenpairs(matrix, 260, 5, { seed: 3 }));
});

test("refuses what has no real eigenpairs to give", () => {
  assert.throws(() => topEigenpairs(Float64Array.of(1, 2, 3, 4), 2, 1), {
    tag: "invalid_argument",
    row: 0,
    column: 1,
  });
  assert.throws(() => topEigenpairs(Float64Array.of(1, Number.NaN, 3, 4), 2, 1), { row: 0, column: 1 });
  assert.throws(() => topEigenpairs(Float64Array.of(1), 1, 2), { tag: "invalid_argument" });
  assert.throws(() => topEigenpairs(Float64Array.of(1, 2), 2, 1), { tag: "invalid_argument" });
});
