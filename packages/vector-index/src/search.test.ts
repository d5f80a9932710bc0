import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { buildIndex, type IndexInput, type Metric, openIndex, type SearchResult } from "./index.ts";
import { clustered, inputOf, naiveSearch, openForTest, temporaryDirectory } from "./test-data.ts";

const METRICS: Metric[] = ["cosine", "l2", "dot_product"];

function assertAgrees(
  result: SearchResult,
  input: IndexInput,
  queries: Float32Array,
  keep?: (p: number) => boolean,
) {
  const { dimension } = input;
  result.counts.forEach((count, q) => {
    const expected = naiveSearch(input, queries.subarray(q * dimension, (q + 1) * dimension), result.k, keep);
    assert.equal(count, expected.length);
    const found = result.distances.subarray(q * result.k, q * result.k + count);
    expected.forEach(({ distance }, i) => {
      assert.ok(
        Math.abs(found[i]! - distance) < 1e-6,
        `query ${q}, ${i}: ${found[i]} instead of ${distance}`,
      );
    });
    const ids = new Set(result.ids.subarray(q * result.k, q * result.k + count));
    assert.equal(ids.size, count);
    // Ids may differ from the oracle only where distances are as good as equal.
    const last = expected.at(-1)?.distance ?? 0;
    for (const { id, distance } of expected) assert.ok(ids.has(id) || Math.abs(distance - last) < 1e-6);
    for (let i = count; i < result.k; i++) assert.equal(result.ids[q * result.k + i], -1);
  });
}

for (const metric of METRICS) {
  test(`exact ${metric} search agrees with the definition, in one scan and through the runtime`, async (t) => {
    const dir = await temporaryDirectory(t);
    // 40 queries over 20,000 vectors go through the runtime in two blocks, 2 queries over 300 do not.
    for (const [size, nq, k] of [
      [300, 2, 10],
      [20_000, 40, 30],
    ] as const) {
      const input = inputOf(size, 12, metric);
      await buildIndex(input, dir);
      const index = await openForTest(t, dir);
      const queries = clustered(nq, 12, 77);
      assertAgrees(await index.search(queries, nq, k), input, queries);
    }
  });

  test(`exact ${metric} search with filters agrees with the definition`, async (t) => {
    const dir = await temporaryDirectory(t);
    const input = inputOf(15_000, 8, metric);
    await buildIndex(input, dir);
    const index = await openForTest(t, dir);
    // Enough queries for the runtime to score the gathered vectors in two batches.
    const queries = clustered(90, 8, 78);
    const { codes: tissue } = index.metadata("tissue");
    const { codes: sex } = index.metadata("sex");
    const filter = [
      { column: "tissue", in: ["tissue-0", "tissue-2", "elsewhere"] },
      { column: "sex", in: ["sex-1"] },
    ];
    const keep = (p: number) => (tissue[p] === 0 || tissue[p] === 2) && sex[p] === 1;
    assertAgrees(await index.search(queries, 90, 20, { filter }), input, queries, keep);
    const none = await index.search(queries, 90, 5, { filter: [{ column: "sex", in: [] }] });
    assert.ok(none.counts.every((count) => count === 0));
    const rare = { filter: [{ column: "tissue", in: ["tissue-3"] }] };
    assertAgrees(await index.search(queries, 90, 500, rare), input, queries, (p) => tissue[p] === 3);
  });

  test(`hnsw ${metric}: recall at least 0.95, distances those of exact search`, async (t) => {
    const dir = await temporaryDirectory(t);
    const input = inputOf(5000, 24, metric, { kind: "hnsw" });
    const manifest = await buildIndex(input, dir);
    assert.equal(manifest.kind, "hnsw");
    const index = await openForTest(t, dir, { exactBelow: 0 });
    const queries = clustered(100, 24, 79);
    const k = 20;
    for (const filter of [[], [{ column: "tissue", in: ["tissue-0", "tissue-1"] }]]) {
      const { codes } = index.metadata("tissue");
      const keep = (p: number) => filter.length === 0 || codes[p] === 0 || codes[p] === 1;
      const result = await index.search(queries, 100, k, { filter });
      let hits = 0;
      for (let q = 0; q < 100; q++) {
        const expected = naiveSearch(input, queries.subarray(q * 24, (q + 1) * 24), k, keep);
        const truth = new Map(expected.map(({ id, distance }) => [id, distance]));
        assert.equal(result.counts[q], k);
        for (let i = q * k; i < (q + 1) * k; i++) {
          const distance = truth.get(result.ids[i]!);
          if (distance === undefined) continue;
          hits++;
          assert.ok(Math.abs(distance - result.distances[i]!) < 1e-6);
        }
        for (let i = q * k + 1; i < (q + 1) * k; i++)
          assert.ok(result.distances[i]! >= result.distances[i - 1]!);
      }
      assert.ok(hits / (100 * k) >= 0.95, `recall ${hits / (100 * k)}`);
    }
  });
}

test("hnsw with a rare category answers exactly, however few match", async (t) => {
  const dir = await temporaryDirectory(t);
  const input = inputOf(3000, 8, "cosine", { kind: "hnsw" });
  await buildIndex(input, dir);
  const queries = clustered(10, 8, 80);
  for (const exactBelow of [0, 50_000]) {
    const index = await openForTest(t, dir, { exactBelow });
    const { codes } = index.metadata("tissue");
    const result = await index.search(queries, 10, 50, { filter: [{ column: "tissue", in: ["tissue-3"] }] });
    assertAgrees(result, input, queries, (p) => codes[p] === 3);
  }
});

test("equal distances come in the order of their ids, whatever the block they are in", async (t) => {
  const dir = await temporaryDirectory(t);
  const size = 20_000;
  // Every vector is one of two, so thousands tie at the edge of any k.
  const vectors = Float32Array.from({ length: size * 4 }, (_, at) =>
    Math.floor(at / 4) % 2 === 0 ? 1 : (at % 4) + 1,
  );
  for (const metric of METRICS) {
    const input = inputOf(size, 4, metric, { vectors });
    await buildIndex(input, dir);
    const index = await openForTest(t, dir);
    const queries = clustered(40, 4, 81);
    const result = await index.search(queries, 40, 7);
    for (let q = 0; q < 40; q++) {
      const expected = naiveSearch(input, queries.subarray(q * 4, (q + 1) * 4), 7);
      assert.deepEqual(
        [...result.ids.subarray(q * 7, (q + 1) * 7)],
        expected.map(({ id }) => id),
      );
    }
  }
});

test("a stored vector is at distance 0 of itself, its opposite at 2", async (t) => {
  const dir = await temporaryDirectory(t);
  const vectors = Float32Array.from([0.1, 0.2, 0.3, -0.1, -0.2, -0.3, 1e-30, 2e-30, 3.1e-30, 1e30, 0, 0]);
  const input = inputOf(4, 3, "cosine", { vectors, metadata: [], ids: Float64Array.of(4, 3, 2, 1) });
  await buildIndex(input, dir);
  const index = await openForTest(t, dir);
  const result = await index.search(vectors.subarray(0, 3), 1, 100);
  assert.equal(result.k, 4);
  assert.deepEqual([...result.counts], [4]);
  assert.deepEqual([result.ids[0], result.distances[0]], [4, 0]);
  assert.deepEqual([result.ids[3], result.distances[3]], [3, 2]);
});

test("far from the origin, and beyond the range of float32 products, l2 is still exact", async (t) => {
  const dir = await temporaryDirectory(t);
  for (const [offset, scale] of [
    [5000, 1],
    [0, 1e25],
    [0, 1e-25],
  ] as const) {
    const vectors = clustered(20_000, 4, 3).map((value) => (value + offset) * scale);
    const input = inputOf(20_000, 4, "l2", { vectors });
    await buildIndex(input, dir);
    const index = await openForTest(t, dir);
    const queries = clustered(30, 4, 4).map((value) => (value + offset) * scale);
    const result = await index.search(queries, 30, 10);
    for (let q = 0; q < 30; q++) {
      const expected = naiveSearch(input, queries.subarray(q * 4, (q + 1) * 4), 10);
      expected.forEach(({ id, distance }, i) => {
        assert.equal(result.ids[q * 10 + i], id);
        assert.ok(Math.abs(result.distances[q * 10 + i]! - distance) <= 1e-6 * distance);
      });
    }
  }
});

test("property: small indexes of any shape agree with the definition", async (t) => {
  const dir = await temporaryDirectory(t);
  const component = fc.integer({ min: -4, max: 4 });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...METRICS),
      fc.constantFrom("exact" as const, "hnsw" as const),
      fc.array(fc.tuple(component, component, fc.integer({ min: 1, max: 4 })), {
        minLength: 1,
        maxLength: 30,
      }),
      fc.integer({ min: 1, max: 40 }),
      async (metric, kind, rows, k) => {
        const input = inputOf(rows.length, 3, metric, {
          kind,
          vectors: Float32Array.from(rows.flat()),
          metadata: [],
        });
        await buildIndex(input, dir);
        const index = await openForTest(t, dir);
        const query = Float32Array.of(1, -2, 3);
        const result = await index.search(query, 1, k);
        assert.equal(result.k, Math.min(k, rows.length));
        assertAgrees(result, input, query);
        for (let i = 1; i < result.k; i++) {
          const step = result.distances[i]! - result.distances[i - 1]! || result.ids[i]! - result.ids[i - 1]!;
          assert.ok(step > 0, "nearest first, equals by id");
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("bad queries, columns and options are typed; cancel and close are heard", async (t) => {
  const dir = await temporaryDirectory(t);
  await buildIndex(inputOf(50, 3, "cosine"), dir);
  const index = await openIndex(dir);
  const query = Float32Array.of(1, 2, 3);
  await assert.rejects(index.search(query, 2, 1), { tag: "invalid_argument" });
  await assert.rejects(index.search(query, 1, 0), { tag: "invalid_argument" });
  await assert.rejects(index.search(Float32Array.of(0, 0, 0), 1, 1), { tag: "invalid_vector", row: 0 });
  await assert.rejects(index.search(Float32Array.of(1, 1, 1, 0, Number.NaN, 0), 2, 1), {
    tag: "invalid_vector",
    row: 1,
  });
  await assert.rejects(index.search(query, 1, 1, { expansionSearch: 0 }), { tag: "invalid_argument" });
  await assert.rejects(index.search(query, 1, 1, { filter: [{ column: "age", in: [] }] }), {
    tag: "unknown_column",
    message: /tissue, sex/,
  });
  await assert.rejects(index.search(query, 1, 1, { signal: AbortSignal.abort() }), { tag: "cancelled" });
  assert.throws(() => index.metadata("age"), { tag: "unknown_column", grpcCode: "invalid_argument" });
  assert.equal((await index.search(new Float32Array(), 0, 5)).counts.length, 0);
  await index.close();
  await assert.rejects(index.search(query, 1, 1), { tag: "closed" });
});
