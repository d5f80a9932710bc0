import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addRows,
  deserializeMoments,
  emptyMoments,
  mergeMoments,
  serializeMoments,
  variance,
} from "./index.ts";
import { fromDense, sliceRows, syntheticCounts, toDense } from "./test-data.ts";

function naive(dense: number[][], column: number): { mean: number; variance: number } {
  const values = dense.map((row) => row[column]!);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return { mean, variance: values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1) };
}

test("agrees with the naive mean and variance however the rows are split and merged", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 60 }),
      fc.integer(),
      fc.array(fc.nat(60), { maxLength: 5 }),
      (n, seed, at) => {
        const rows = syntheticCounts(n, 7, seed);
        const cuts = [0, ...at.map((cut) => Math.min(cut, n)).sort((a, b) => a - b), n];
        const parts = cuts.slice(1).map((end, i) => addRows(emptyMoments(7), sliceRows(rows, cuts[i]!, end)));
        const forward = parts.reduce(mergeMoments);
        const backward = parts.toReversed().reduce(mergeMoments);
        const whole = addRows(emptyMoments(7), rows);
        const dense = toDense(rows);
        for (const moments of [forward, backward, whole]) {
          assert.equal(moments.n, n);
          const spread = variance(moments);
          for (let column = 0; column < 7; column++) {
            const expected = naive(dense, column);
            assert.ok(Math.abs(moments.mean[column]! - expected.mean) <= 1e-12 * (1 + expected.mean));
            assert.ok(Math.abs(spread[column]! - expected.variance) <= 1e-11 * (1 + expected.variance));
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("keeps a small spread around a large mean", () => {
  const rows = fromDense(Array.from({ length: 1000 }, (_, i) => [1e6 + (i % 2 === 0 ? 0.1 : -0.1)]));
  const moments = emptyMoments(1);
  for (let first = 0; first < 1000; first += 10) addRows(moments, sliceRows(rows, first, first + 10));
  assert.ok(Math.abs(variance(moments, 0)[0]! - 0.01) < 1e-9);
});

test("a constant column has variance exactly 0", () => {
  const rows = fromDense(Array.from({ length: 3001 }, () => [0.1, 0, 7]));
  assert.deepEqual([...variance(addRows(emptyMoments(3), rows))], [0, 0, 0]);
});

test("refuses a variance of too few rows, other widths and non-finite values", () => {
  assert.throws(() => variance(addRows(emptyMoments(1), fromDense([[1]]))), { tag: "not_enough_rows" });
  assert.throws(() => addRows(emptyMoments(2), fromDense([[1]])), { tag: "invalid_argument" });
  assert.throws(() => mergeMoments(emptyMoments(2), emptyMoments(3)), { tag: "invalid_argument" });
  assert.throws(() => addRows(emptyMoments(1), fromDense([[Number.NaN]])), { tag: "invalid_rows" });
});

test("moments survive a checkpoint", () => {
  const moments = addRows(emptyMoments(9), syntheticCounts(20, 9, 3));
  assert.deepEqual(deserializeMoments(serializeMoments(moments)), moments);
});
