import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { openStore, openZarrAsync } from "./index.ts";
import { memoryStore } from "./testing/memory-store.ts";
import { all, at, type NaiveArray, type NaiveOptions, naiveZarr } from "./testing/naive.ts";

interface Case {
  array: NaiveArray;
  options: NaiveOptions;
  region: { start: number[]; end: number[] };
}

/** Arrays of rank 0 to 4 with every layout the model knows, and a box inside. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    axes: fc.array(
      fc.record({
        side: fc.integer({ min: 0, max: 7 }),
        chunk: fc.integer({ min: 1, max: 5 }),
        per: fc.integer({ min: 1, max: 3 }),
        cut: fc.tuple(fc.nat(7), fc.nat(7)),
        sort: fc.nat(),
      }),
      { maxLength: 4 },
    ),
    format: fc.constantFrom(2 as const, 3 as const),
    sharded: fc.boolean(),
    transposed: fc.boolean(),
    bigEndian: fc.boolean(),
    checksum: fc.boolean(),
    indexAt: fc.constantFrom("start" as const, "end" as const),
    compress: fc.constantFrom("none" as const, "gzip" as const, "zstd" as const, "zlib" as const),
    separator: fc.constantFrom(undefined, "." as const, "/" as const),
    fill: fc.constantFrom(0, 1.5, Number.NaN, Number.NEGATIVE_INFINITY),
    seed: fc.nat(),
  })
  .map(({ axes, format, sharded, transposed, separator, seed, checksum, ...rest }) => {
    const shape = axes.map(({ side }) => side);
    const order = axes.map((_, axis) => axis).sort((a, b) => axes[a]!.sort - axes[b]!.sort);
    const count = shape.reduce((product, side) => product * side, 1);
    // Many elements are the fill value, so that chunks are missing.
    const values = Array.from({ length: count }, (_, i) => ((i * 7 + seed) % 5 < 3 ? rest.fill : i + 0.25));
    const cuts = axes.map(({ side, cut }) => cut.map((point) => Math.min(point, side)).sort((a, b) => a - b));
    return {
      array: { shape, values },
      options: {
        ...rest,
        format,
        checksum: format === 3 && checksum,
        chunks: axes.map(({ chunk }) => chunk),
        chunksPerShard: format === 3 && sharded ? axes.map(({ per }) => per) : undefined,
        transpose: transposed
          ? format === 2
            ? axes.map((_, axis) => axes.length - 1 - axis)
            : order
          : undefined,
        ...(separator === undefined ? {} : { separator }),
      },
      region: { start: cuts.map(([low]) => low!), end: cuts.map(([, high]) => high!) },
    };
  });

function expected({ array, region }: Case): Float64Array {
  const size = region.start.map((start, axis) => region.end[axis]! - start);
  return Float64Array.from(all(size), (index) =>
    at(
      array,
      index.map((i, axis) => region.start[axis]! + i),
    ),
  );
}

test("any box of any layout reads as the model says", () => {
  fc.assert(
    fc.property(cases, (given) => {
      const { sync } = memoryStore(naiveZarr(given.array, given.options));
      const reader = openStore(sync, "memory");
      assert.deepEqual(reader.read("/", given.region), expected(given));
      const { shape } = given.array;
      const whole = { ...given, region: { start: shape.map(() => 0), end: shape } };
      assert.deepEqual(reader.read("/"), expected(whole));
    }),
    { numRuns: 400 },
  );
});

test("the asynchronous reader gives the same values", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async (given) => {
      const { remote } = memoryStore(naiveZarr(given.array, given.options));
      const reader = await openZarrAsync(remote, "memory");
      assert.deepEqual(await reader.read("/", given.region), expected(given));
    }),
    { numRuns: 150 },
  );
});

test("a remote read fetches only the chunks of its region, and neighbours in one request", async () => {
  const array = { shape: [100], values: Array.from({ length: 100 }, (_, i) => i + 1) };
  const options = { format: 3 as const, chunks: [10], chunksPerShard: [5], fill: 0 };
  const store = memoryStore(naiveZarr(array, options));
  const reader = await openZarrAsync(store.remote, "memory");
  store.asked.length = 0;
  const values = await reader.read("/", { start: [12], end: [35] });
  assert.deepEqual(
    values,
    Float64Array.from({ length: 23 }, (_, i) => i + 13),
  );
  const asked = store.asked.filter(({ key }) => key.startsWith("c/"));
  assert.deepEqual(asked, [
    { key: "c/0", range: { suffix: 84 } },
    { key: "c/0", range: { start: 80, end: 320 } },
  ]);
  store.asked.length = 0;
  await reader.read("/", { start: [0], end: [10] });
  assert.deepEqual(store.asked, [{ key: "c/0", range: { start: 0, end: 80 } }], "the index is kept");
});

test("a region outside the array, and one too large, are refused", () => {
  const array = { shape: [4, 4], values: Array.from({ length: 16 }, (_, i) => i) };
  const { sync } = memoryStore(naiveZarr(array, { format: 2, chunks: [2, 2], fill: 0 }));
  const reader = openStore(sync, "memory", 64);
  assert.throws(() => reader.read("/", { start: [0, 0], end: [5, 4] }), { tag: "invalid-argument" });
  assert.throws(() => reader.read("/", { start: [2, 0], end: [1, 4] }), { tag: "invalid-argument" });
  assert.throws(() => reader.read("/"), { tag: "too-large" });
  assert.deepEqual(reader.read("/", { start: [1, 1], end: [2, 3] }), Float64Array.of(5, 6));
});

test("a cancelled remote read says so", async () => {
  const array = { shape: [4], values: [1, 2, 3, 4] };
  const { remote } = memoryStore(naiveZarr(array, { format: 3, chunks: [2], fill: 0 }));
  const reader = await openZarrAsync(remote, "memory");
  await assert.rejects(reader.read("/", undefined, { signal: AbortSignal.abort() }), { tag: "cancelled" });
});
