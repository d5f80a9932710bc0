import assert from "node:assert/strict";
import { test } from "node:test";
import { logNormalized, makeStudy, quietly, run, sparse, tempDir, writeStudy } from "./testing.ts";

interface Answer {
  embedding: (number | null)[][];
  source: string;
  explainedVarianceRatio: number[];
  genes: string[];
}

const study = makeStudy();

test("pca: scores are centred, uncorrelated, and their variances are the largest there can be", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const k = 5;
  const answer = await run<Answer>(path, "GetEmbedding", { type: "pca", nComponents: k, nTopGenes: 20 });
  assert.equal(answer.source, "PCA of X");
  assert.equal(answer.genes.length, 20);
  assert.equal(answer.embedding.length, study.cells);
  const column = (c: number) => answer.embedding.map((row) => row[c] as number);
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const x = logNormalized(study);
  let total = 0;
  for (const name of answer.genes) {
    const values = Array.from(
      { length: study.cells },
      (_, cell) => x[cell * study.genes.length + study.genes.indexOf(name)]!,
    );
    const mean = values.reduce((a, b) => a + b, 0) / study.cells;
    total += values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  }
  for (let a = 0; a < k; a++) {
    assert.ok(Math.abs(column(a).reduce((sum, value) => sum + value, 0)) < 1e-3);
    const ratio = dot(column(a), column(a)) / total;
    assert.ok(Math.abs(ratio - answer.explainedVarianceRatio[a]!) < 1e-5);
    assert.ok(a === 0 || ratio <= answer.explainedVarianceRatio[a - 1]!);
    for (let b = 0; b < a; b++) assert.ok(Math.abs(dot(column(a), column(b))) < 1e-3 * total);
  }
});

test("pca has two components by default, the first two of any number", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const two = await run<Answer>(path, "GetEmbedding", { type: "pca" });
  const six = await run<Answer>(path, "GetEmbedding", { type: "pca", nComponents: 6 });
  for (const [cell, row] of two.embedding.entries()) {
    assert.equal(row.length, 2);
    row.forEach((value, c) => {
      assert.ok(Math.abs(value! - six.embedding[cell]![c]!) < 1e-4);
    });
  }
});

test("scaling gives every gene the same weight, so that the ratios differ", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const plain = await run<Answer>(path, "GetEmbedding", { type: "pca" });
  const scaled = await run<Answer>(path, "GetEmbedding", { type: "pca", scale: true });
  assert.notDeepEqual(plain.explainedVarianceRatio, scaled.explainedVarianceRatio);
  const variance = scaled.embedding.reduce((sum, [x]) => sum + x! ** 2, 0) / (study.cells - 1);
  assert.ok(Math.abs(variance / scaled.genes.length - scaled.explainedVarianceRatio[0]!) < 1e-5);
});

test("an embedding of the file is given as it is, not-a-number as null", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  for (const type of ["umap", "X_umap"]) {
    const { embedding, source } = await run<Answer>(path, "GetEmbedding", { type });
    assert.equal(source, "obsm/X_umap");
    assert.deepEqual(embedding.slice(0, 3), [
      [0, 0.25],
      [0.75, null],
      [1.5, 1.75],
    ]);
  }
  const three = await run<Answer>(path, "GetEmbedding", { type: "umap", nComponents: 50 });
  assert.equal(three.embedding[0]?.length, 3);
});

test("a saved PCA is taken only when asked for", async (t) => {
  const data = Float32Array.from({ length: study.cells * 2 }, (_, i) => i);
  const path = await writeStudy(await tempDir(t), study, {
    obsm: { X_pca: { data, shape: [study.cells, 2] } },
  });
  const saved = await run<Answer>(path, "GetEmbedding", { type: "pca", useSaved: true });
  assert.deepEqual(saved.embedding[1], [2, 3]);
  assert.equal((await run<Answer>(path, "GetEmbedding", { type: "pca" })).source, "PCA of X");
});

test("an unknown embedding is refused with those there are", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  await assert.rejects(run(path, "GetEmbedding", { type: "X_umpa" }), {
    tag: "unknown-name",
    message: /expected pca or a key of obsm \(X_umap\), found "X_umpa"; close names: X_umap/,
  });
});

test("a file with too few cells or without variation has no PCA, and says why", async (t) => {
  const dir = await tempDir(t);
  const one = await writeStudy(dir, { ...makeStudy(2), cells: 1, louvain: ["0"] });
  await assert.rejects(run(one, "GetEmbedding", { type: "pca" }), {
    tag: "unfit-file",
    grpcCode: "failed_precondition",
  });
  const flat = { ...study, counts: new Float64Array(study.counts.length).fill(3) };
  await assert.rejects(run(await writeStudy(dir, flat), "GetEmbedding", { type: "pca" }), {
    tag: "unfit-file",
    message: /no gene of X varies/,
  });
  const few = { ...makeStudy(4, 6) };
  await assert.rejects(run(await writeStudy(dir, few), "GetEmbedding", { type: "pca", nComponents: 10 }), {
    tag: "unfit-file",
    message: /components/,
  });
});

test("a caller that gives up ends the task between batches", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const controller = new AbortController();
  const context = {
    ...quietly,
    signal: controller.signal,
    progress: () => controller.abort(new Error("gone")),
  };
  const breathe = async () => controller.signal.throwIfAborted();
  await assert.rejects(
    run(path, "GetEmbedding", { type: "pca" }, { context: { ...context, breathe } }),
    /gone/,
  );
  // The next task over the same file is not disturbed.
  await run(path, "GetEmbedding", { type: "pca" });
});

test("counts that turn out negative in an unsampled row are refused, not projected", async (t) => {
  const cells = 1_200;
  const big = makeStudy(cells, 5);
  big.counts[600 * 5 + 2] = -4;
  const path = await writeStudy(await tempDir(t), big, { x: sparse(big.counts, cells, 5) });
  await assert.rejects(run(path, "GetEmbedding", { type: "pca" }), { grpcCode: "invalid_argument" });
});
