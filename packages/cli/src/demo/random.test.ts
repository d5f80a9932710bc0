import assert from "node:assert/strict";
import { test } from "node:test";
import { createRandom } from "./random.ts";

const N = 40_000;

function moments(draw: () => number): { mean: number; variance: number; values: Float64Array } {
  const values = Float64Array.from({ length: N }, draw);
  const mean = values.reduce((a, b) => a + b, 0) / N;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / (N - 1);
  return { mean, variance, values };
}

/** Five standard errors of the mean; the seeds are fixed, so this either always holds or never. */
function assertMoments(draw: () => number, mean: number, variance: number, spread = 0.06): void {
  const found = moments(draw);
  assert.ok(
    Math.abs(found.mean - mean) < 5 * Math.sqrt(variance / N),
    `mean ${found.mean}, expected ${mean}`,
  );
  assert.ok(
    Math.abs(found.variance / variance - 1) < spread,
    `variance ${found.variance}, expected ${variance}`,
  );
}

test("the same seed and stream repeat, another seed or stream differs", () => {
  const take = (seed: number, stream: string): number[] => {
    const random = createRandom(seed, stream);
    return Array.from({ length: 8 }, () => random.uint32());
  };
  assert.deepEqual(take(7, "genes"), take(7, "genes"));
  assert.notDeepEqual(take(7, "genes"), take(8, "genes"));
  assert.notDeepEqual(take(7, "genes"), take(7, "cells"));
  assert.notDeepEqual(take(7, "genes"), take(7 + 2 ** 32, "genes"));
});

test("the stream is fixed for good: files made from a seed depend on it", () => {
  const random = createRandom(1, "fixed");
  assert.deepEqual(
    Array.from({ length: 4 }, () => random.uint32()),
    [265606904, 1121365731, 2965000883, 2944499304],
  );
});

test("uniform numbers fill (0, 1) evenly", () => {
  const random = createRandom(1, "uniform");
  assertMoments(random.uniform, 1 / 2, 1 / 12, 0.03);
  const bins = new Array<number>(10).fill(0);
  for (let i = 0; i < N; i++) bins[random.int(10)]!++;
  const chiSquare = bins.reduce((sum, count) => sum + (count - N / 10) ** 2 / (N / 10), 0);
  assert.ok(chiSquare < 27.9, `chi-square ${chiSquare}`); // 99.9 % point at 9 degrees of freedom
});

test("normal numbers have mean 0, variance 1 and normal tails", () => {
  const random = createRandom(2, "normal");
  assertMoments(random.normal, 0, 1, 0.03);
  const { values } = moments(random.normal);
  const outside = values.filter((value) => Math.abs(value) > 1.959964).length / N;
  assert.ok(Math.abs(outside - 0.05) < 0.006, `${outside} beyond 1.96`);
});

test("gamma numbers have the moments of their shape", () => {
  for (const shape of [0.3, 1, 2.5, 40]) {
    const random = createRandom(3, `gamma ${shape}`);
    assertMoments(() => random.gamma(shape), shape, shape, 0.1);
  }
});

test("Poisson numbers have the moments of their mean, below and above the change of method", () => {
  for (const mean of [0.2, 3, 11.9, 12.1, 60, 5000]) {
    const random = createRandom(4, `poisson ${mean}`);
    assertMoments(() => random.poisson(mean), mean, mean);
  }
});

test("negative-binomial numbers have the variance of their dispersion, by either method", () => {
  for (const [mean, dispersion] of [
    [0.05, 0.4],
    [2, 0.4],
    [29, 0.2],
    [31, 0.2],
    [300, 1],
  ] as const) {
    const random = createRandom(5, `nb ${mean}`);
    assertMoments(() => random.negativeBinomial(mean, dispersion), mean, mean + dispersion * mean ** 2, 0.12);
  }
});

test("the probability of a zero count is the negative binomial's", () => {
  const random = createRandom(6, "zero");
  const { values } = moments(() => random.negativeBinomial(1.5, 0.5));
  const zeros = values.filter((value) => value === 0).length / N;
  assert.ok(Math.abs(zeros - (1 / 1.75) ** 2) < 0.013, `${zeros} zeros`);
});

test("choice follows its weights and shuffle keeps its values", () => {
  const random = createRandom(7, "choice");
  const counts = [0, 0, 0];
  for (let i = 0; i < N; i++) counts[random.choice([1, 0, 3])]!++;
  assert.equal(counts[1], 0);
  assert.ok(Math.abs(counts[2]! / N - 0.75) < 0.012);
  assert.deepEqual(
    random.shuffle([1, 2, 3, 4, 5, 6]).sort((a, b) => a - b),
    [1, 2, 3, 4, 5, 6],
  );
});
