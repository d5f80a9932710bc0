import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addRowsToGram,
  addSerializedGram,
  deserializeGram,
  emptyGram,
  finalizePca,
  type GramState,
  mergeGram,
  normalizeLog1p,
  type PcaModel,
  serializeGram,
  totalsOf,
} from "./index.ts";
import { fromDense, identityMap, jacobiEigen, sliceRows, syntheticCounts, toDense } from "./test-data.ts";

const counts = syntheticCounts(120, 24, 11);
const rows = normalizeLog1p(counts, totalsOf(counts));
const map = identityMap(24);

function gramOf(part: typeof rows, columnMap = map, p = 24): GramState {
  return addRowsToGram(emptyGram(p), part, columnMap);
}

function naiveCovariance(dense: number[][], unit: boolean): Float64Array {
  const n = dense.length;
  const p = dense[0]!.length;
  const mean = Array.from({ length: p }, (_, j) => dense.reduce((sum, row) => sum + row[j]!, 0) / n);
  const out = new Float64Array(p * p);
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < p; j++) {
      out[i * p + j] =
        dense.reduce((sum, row) => sum + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / (n - 1);
    }
  }
  if (!unit) return out;
  const std = Array.from({ length: p }, (_, i) => Math.sqrt(out[i * p + i]!));
  return out.map((value, at) => value / (std[Math.floor(at / p)]! * std[at % p]!));
}

function assertSameProjector(
  model: PcaModel,
  vectors: readonly (readonly number[])[],
  tolerance: number,
): void {
  const { p, nComponents, components } = model;
  for (let i = 0; i < p; i++) {
    for (let j = 0; j < p; j++) {
      let ours = 0;
      let theirs = 0;
      for (let c = 0; c < nComponents; c++) {
        ours += components[c * p + i]! * components[c * p + j]!;
        theirs += vectors[c]![i]! * vectors[c]![j]!;
      }
      assert.ok(Math.abs(ours - theirs) < tolerance, `projector at ${i}, ${j}: ${ours} instead of ${theirs}`);
    }
  }
}

for (const scale of ["none", "unit-variance"] as const) {
  test(`agrees with a dense PCA by Jacobi rotations (scale ${scale})`, () => {
    const model = finalizePca(gramOf(rows), { nComponents: 6, scale });
    const covariance = naiveCovariance(toDense(rows), scale === "unit-variance");
    const expected = jacobiEigen(covariance, 24);
    expected.values.slice(0, 6).forEach((value, i) => {
      assert.ok(Math.abs(model.explainedVariance[i]! - value) < 1e-10 * value);
    });
    const total = expected.values.reduce((sum, value) => sum + value, 0);
    assert.ok(Math.abs(model.totalVariance - total) < 1e-10 * total);
    assert.ok(Math.abs(model.explainedVarianceRatio[0]! - expected.values[0]! / total) < 1e-10);
    assertSameProjector(model, expected.vectors, 1e-6);
  });
}

test("does not depend on how rows are split, ordered and merged", () => {
  const whole = finalizePca(gramOf(rows), { nComponents: 4, scale: "none" });
  const vectors = Array.from({ length: 4 }, (_, c) => [...whole.components.subarray(c * 24, (c + 1) * 24)]);
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), (order) => {
      const parts = order.map((i) => gramOf(sliceRows(rows, i * 20, (i + 1) * 20)));
      const merged = parts.reduce(mergeGram);
      assert.equal(merged.n, 120);
      const model = finalizePca(merged, { nComponents: 4, scale: "none" });
      assertSameProjector(model, vectors, 1e-6);
      whole.explainedVariance.forEach((value, i) => {
        assert.ok(Math.abs(model.explainedVariance[i]! - value) < 1e-12 * value);
      });
    }),
    { numRuns: 20 },
  );
  const [a, b] = [gramOf(sliceRows(rows, 0, 50)), gramOf(sliceRows(rows, 50, 120))];
  assert.deepEqual(mergeGram(a, b), mergeGram(b, a));
});

test("takes the selected columns only, in any order", () => {
  const selected = [17, 3, 9, 21];
  const columnMap = new Int32Array(24).fill(-1);
  selected.forEach((column, position) => {
    columnMap[column] = position;
  });
  const model = finalizePca(gramOf(rows, columnMap, 4), { nComponents: 2, scale: "none" });
  const dense = toDense(rows).map((row) => selected.map((column) => row[column]!));
  assertSameProjector(model, jacobiEigen(naiveCovariance(dense, false), 4).vectors, 1e-6);
});

test("a checkpoint brings back the same bits, and damage is found", () => {
  const state = gramOf(rows);
  const bytes = serializeGram(state);
  assert.deepEqual(deserializeGram(bytes), state);
  // A view at an odd offset of a larger buffer, as a network read would give.
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  assert.deepEqual(deserializeGram(shifted.subarray(3)), state);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const damaged = bytes.slice();
      damaged[at]! ^= flip;
      assert.throws(() => deserializeGram(damaged), { tag: "corrupt_checkpoint" });
    }),
    { numRuns: 60 },
  );
  assert.throws(() => deserializeGram(bytes.subarray(0, bytes.length - 8)), { tag: "corrupt_checkpoint" });
  assert.throws(() => deserializeGram(new Uint8Array()), { tag: "corrupt_checkpoint" });
});

test("asking for more components than there are says how many there can be", () => {
  const low = fromDense(Array.from({ length: 30 }, (_, i) => [i, 2 * i, (i * 7) % 11, 0, 5]));
  const state = addRowsToGram(emptyGram(5), low, identityMap(5));
  for (const scale of ["none", "unit-variance"] as const) {
    assert.equal(finalizePca(state, { nComponents: 2, scale }).explainedVariance.length, 2);
    for (const nComponents of [3, 5, 6, 1000]) {
      assert.throws(() => finalizePca(state, { nComponents, scale }), {
        tag: "too_many_components",
        maxComponents: 2,
      });
    }
  }
  const few = gramOf(sliceRows(rows, 0, 4));
  assert.throws(() => finalizePca(few, { nComponents: 4, scale: "none" }), { maxComponents: 3 });
  assert.equal(finalizePca(few, { nComponents: 3, scale: "none" }).nComponents, 3);
  const one = gramOf(sliceRows(rows, 0, 1));
  assert.throws(() => finalizePca(one, { nComponents: 1, scale: "none" }), { tag: "not_enough_rows" });
  const silent = addRowsToGram(
    emptyGram(2),
    fromDense([
      [3, 0],
      [3, 0],
    ]),
    identityMap(2),
  );
  assert.throws(() => finalizePca(silent, { nComponents: 1, scale: "none" }), { maxComponents: 0 });
});

test("constant genes get loadings of 0 and a divisor of 1", () => {
  const dense = Array.from({ length: 50 }, (_, i) => [0, Math.sin(i), 0.1, Math.cos(3 * i)]);
  const state = addRowsToGram(emptyGram(4), fromDense(dense), identityMap(4));
  const model = finalizePca(state, { nComponents: 2, scale: "unit-variance" });
  assert.equal(model.std[0], 1);
  assert.equal(model.std[2], 1);
  assert.equal(model.variance[2], 0);
  assert.ok(Math.abs(model.totalVariance - 2) < 1e-12);
  for (const c of [0, 1]) {
    assert.equal(Math.abs(model.components[c * 4]!), 0);
    assert.equal(Math.abs(model.components[c * 4 + 2]!), 0);
  }
  assert.ok([...model.components].every(Number.isFinite));
});

test("two standardised genes tie in magnitude: the first of them is positive", () => {
  const dense = Array.from({ length: 20 }, (_, i) => [i, -i + Math.sin(i)]);
  const state = addRowsToGram(emptyGram(2), fromDense(dense), identityMap(2));
  const model = finalizePca(state, { nComponents: 1, scale: "unit-variance" });
  assert.ok(model.components[0]! > 0 && model.components[1]! < 0);
});

test("a block that fails its checks leaves the state as it was", () => {
  const state = gramOf(rows);
  const before = serializeGram(state);
  const bad = { ...rows, data: rows.data.slice() };
  bad.data[rows.indptr[7]!] = Number.NaN;
  assert.throws(() => addRowsToGram(state, bad, map), { tag: "invalid_rows", row: 7 });
  assert.deepEqual(serializeGram(state), before);
  assert.throws(() => addRowsToGram(state, rows, new Int32Array(24)), { tag: "invalid_argument" });
  assert.throws(() => addRowsToGram(state, rows, new Int32Array(3)), { tag: "invalid_argument" });
  assert.throws(() => mergeGram(state, emptyGram(3)), { tag: "invalid_argument" });
  assert.throws(() => emptyGram(100_000), { tag: "too_large" });
});

test("adding a checkpoint in place gives the sums of a merge, also from an unaligned view", () => {
  const a = emptyGram(3);
  const b = emptyGram(3);
  const row = (values: number[]) => ({
    nRows: 1,
    nCols: 3,
    indptr: Float64Array.of(0, 3),
    indices: Int32Array.of(0, 1, 2),
    data: Float64Array.from(values),
  });
  addRowsToGram(a, row([1, 2, 3]), Int32Array.of(0, 1, 2));
  addRowsToGram(b, row([0.5, 4, 0.25]), Int32Array.of(0, 1, 2));
  const merged = mergeGram(a, b);
  const bytes = serializeGram(b);
  const unaligned = new Uint8Array(bytes.length + 3).subarray(3);
  unaligned.set(bytes);
  assert.deepEqual(addSerializedGram(deserializeGram(serializeGram(a)), bytes), merged);
  assert.deepEqual(addSerializedGram(deserializeGram(serializeGram(a)), unaligned), merged);
  assert.throws(() => addSerializedGram(emptyGram(2), bytes), { tag: "invalid_argument" });
});
