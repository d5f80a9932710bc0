import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addRowsToGram,
  buildPcaOnnx,
  createOnnxRunner,
  emptyGram,
  featureSchemaSha256,
  finalizePca,
  MODEL_KEYS,
  normalizeLog1p,
  type OnnxRunner,
  type PcaOnnxSpec,
  type PcaScale,
  readOnnxSummary,
  totalsOf,
} from "./index.ts";
import { syntheticCounts, toDense } from "./test-data.ts";

async function openForTest(t: TestContext, model: Uint8Array, threads = 1): Promise<OnnxRunner> {
  const runner = await createOnnxRunner(model, { threads });
  t.after(() => runner.close());
  return runner;
}

const G = 40;
const counts = syntheticCounts(300, G, 21);
const totals = totalsOf(counts);
const selected = Int32Array.from([30, 2, 4, 5, 11, 12, 20, 39, 7]);
const columnMap = new Int32Array(G).fill(-1);
selected.forEach((column, position) => {
  columnMap[column] = position;
});
const rows = normalizeLog1p(counts, totals);
const state = addRowsToGram(emptyGram(selected.length), rows, columnMap);

function specOf(scale: PcaScale): PcaOnnxSpec {
  const { mean, std, components, nComponents } = finalizePca(state, { nComponents: 3, scale });
  const featureIds = Array.from({ length: G }, (_, i) => `ENSG${i}`);
  return {
    featureIds,
    selected,
    mean,
    std,
    components,
    nComponents,
    targetSum: 10_000,
    metadata: { run: "r1" },
  };
}

/** float64, from the definition. */
function embedNaively(spec: PcaOnnxSpec): number[][] {
  return toDense(rows).map((row) =>
    Array.from({ length: spec.nComponents }, (_, c) => {
      let sum = 0;
      selected.forEach((column, i) => {
        const z = (row[column]! - spec.mean[i]!) / spec.std[i]!;
        sum += z * spec.components[c * selected.length + i]!;
      });
      return sum;
    }),
  );
}

for (const scale of ["none", "unit-variance"] as const) {
  test(`the model embeds raw counts as the definition does (scale ${scale})`, async (t) => {
    const spec = specOf(scale);
    const runner = await openForTest(t, buildPcaOnnx(spec));
    assert.equal(runner.nFeatures, G);
    assert.equal(runner.nComponents, 3);
    const expected = embedNaively(spec).flat();
    const largest = Math.max(...expected.map(Math.abs));
    const sparse = await runner.embedRows(counts, totals);
    const dense = Float32Array.from(toDense(counts).flat());
    const direct = await runner.run(dense, Float32Array.from(totals), counts.nRows);
    assert.equal(sparse.length, expected.length);
    expected.forEach((value, i) => {
      assert.ok(Math.abs(sparse[i]! - value) < 1e-5 * largest, `${i}: ${sparse[i]} instead of ${value}`);
      assert.ok(Math.abs(direct[i]! - value) < 1e-5 * largest);
    });
  });
}

test("the file is deterministic and carries what is needed to use it", () => {
  const spec = specOf("none");
  const model = buildPcaOnnx(spec);
  assert.deepEqual(model, buildPcaOnnx(spec));
  const { metadata, inputs, outputs } = readOnnxSummary(model);
  assert.equal(metadata.run, "r1");
  assert.equal(metadata[MODEL_KEYS.kind], "pca-embedding");
  assert.equal(metadata[MODEL_KEYS.featureSchemaSha256], featureSchemaSha256(spec.featureIds));
  assert.deepEqual(JSON.parse(metadata[MODEL_KEYS.featureIds]!), spec.featureIds);
  assert.deepEqual(inputs.get("counts"), [null, G]);
  assert.deepEqual(inputs.get("total_counts"), [null]);
  assert.deepEqual(outputs.get("embedding"), [null, 3]);
});

test("empty cells, totals of 0 and huge counts stay finite", async (t) => {
  const runner = await openForTest(t, buildPcaOnnx(specOf("unit-variance")));
  const dense = new Float32Array(3 * G);
  dense.fill(3e38, G, 2 * G);
  dense.fill(7, 2 * G);
  const out = await runner.run(dense, Float32Array.of(0, 0, 7 * G), 3);
  assert.ok([...out].every(Number.isFinite));
  assert.equal((await runner.run(new Float32Array(), new Float32Array(), 0)).length, 0);
});

test("accepts shared memory and overlapping calls", async (t) => {
  const runner = await openForTest(t, buildPcaOnnx(specOf("none")), 2);
  const dense = Float32Array.from(toDense(counts).slice(0, 5).flat());
  const shared = new Float32Array(new SharedArrayBuffer(dense.byteLength));
  shared.set(dense);
  const five = Float32Array.from(totals.subarray(0, 5));
  const [a, b] = await Promise.all([runner.run(dense, five, 5), runner.run(shared, five, 5)]);
  assert.deepEqual(a, b);
});

test("bad input is named by row and column; bad shapes, cancels and closed sessions are typed", async (t) => {
  const runner = await openForTest(t, buildPcaOnnx(specOf("none")));
  const dense = new Float32Array(2 * G);
  dense[G + 5] = Number.NaN;
  await assert.rejects(runner.run(dense, Float32Array.of(1, 1), 2), {
    tag: "invalid_rows",
    row: 1,
    column: 5,
  });
  await assert.rejects(runner.run(new Float32Array(2 * G), Float32Array.of(1, Infinity), 2), { row: 1 });
  await assert.rejects(runner.run(dense, Float32Array.of(1), 1), { tag: "invalid_argument" });
  await assert.rejects(runner.embedRows({ ...counts, nCols: G + 1 }, totals), { tag: "invalid_argument" });
  await assert.rejects(runner.embedRows(counts, totals, { signal: AbortSignal.abort() }), {
    tag: "cancelled",
  });
  await runner.close();
  await runner.close();
  await assert.rejects(runner.embedRows(counts, totals), { tag: "closed" });
});

test("refuses to build from parts that do not fit, or would give NaN", () => {
  const spec = specOf("none");
  const with0 = spec.std.slice();
  with0[2] = 0;
  const broken: Partial<PcaOnnxSpec>[] = [
    { std: with0 },
    { mean: spec.mean.subarray(1) },
    { nComponents: 4 },
    { selected: Int32Array.from(selected, (column) => column + 20) },
    { featureIds: spec.featureIds.map(() => "same") },
    { metadata: { "cytomesh.kind": "x" } },
    { targetSum: -1 },
    { components: spec.components.map(() => Number.NaN) },
  ];
  for (const part of broken) {
    assert.throws(() => buildPcaOnnx({ ...spec, ...part }), { tag: "invalid_argument" });
  }
});

test("bytes that are no model give a typed error", async () => {
  const model = buildPcaOnnx(specOf("none"));
  const samples = [
    new Uint8Array(),
    Uint8Array.from([255, 255, 255]),
    Buffer.from("not a model at all"),
    model.subarray(0, model.length - 5),
    model.subarray(0, 100),
  ];
  for (const bytes of samples) await assert.rejects(createOnnxRunner(bytes), { tag: "invalid_model" });
});
