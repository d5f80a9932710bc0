import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { makeStudy, run, tempDir, writeStudy } from "../../services/worker/src/services/testing.ts";

// The analysis tasks against scanpy on the same files. Needs a Python with scanpy and scikit-learn, named by CYTOMESH_PYTHON.
const python = process.env.CYTOMESH_PYTHON;
const root = join(import.meta.dirname, "..", "..");
const data = process.env.CYTOMESH_TEST_DATA ?? join(root, "..", "shared", "data");
const script = join(import.meta.dirname, "worker.py");

interface Verdict {
  readonly dispersions: number;
  readonly highlyVariable: boolean;
  readonly mean: number;
  readonly stdev: number;
  readonly expression: number;
  readonly pca: number;
  readonly varianceRatio: number;
}

async function check(t: TestContext, path: string, nTopGenes: number): Promise<void> {
  const dir = await tempDir(t);
  const matrix = "x";
  const genes = await run<{ rows: { gene_names: string; dispersions: number | null }[] }>(path, "ListGenes", {
    selectFields: ["gene_names", "dispersions", "highly_variable"],
    limit: 100_000,
    nTopGenes,
    matrix,
  });
  // The genes of highest and of lowest dispersion, and those without any.
  const sorted = genes.rows.toSorted((a, b) => (b.dispersions ?? -99) - (a.dispersions ?? -99));
  const names = [...sorted.slice(0, 10), ...sorted.slice(-10)].map((row) => row.gene_names);
  const expression = await run<object>(path, "GeneExpression", { genes: names, matrix });
  const embedding = await run<object>(path, "GetEmbedding", {
    type: "pca",
    nComponents: 5,
    nTopGenes,
    matrix,
  });
  const answers = join(dir, "answers.json");
  await writeFile(answers, JSON.stringify({ genes, expression, embedding, nTopGenes }));
  const { stdout } = await promisify(execFile)(python!, [script, path, answers], { maxBuffer: 2 ** 26 });
  const verdict = JSON.parse(stdout) as Verdict;
  assert.ok(verdict.highlyVariable, "the highly variable genes are those of scanpy");
  assert.ok(verdict.dispersions < 1e-5, `dispersions differ by ${verdict.dispersions}`);
  assert.ok(verdict.mean < 1e-6, `means differ by ${verdict.mean}`);
  assert.ok(verdict.stdev < 1e-6, `deviations differ by ${verdict.stdev}`);
  assert.ok(verdict.expression < 2e-6, `expression differs by ${verdict.expression}`);
  assert.ok(verdict.pca < 1e-4, `scores differ by ${verdict.pca} of the largest`);
  assert.ok(verdict.varianceRatio < 1e-6, `explained variance ratios differ by ${verdict.varianceRatio}`);
}

test("a generated study: genes, expression and PCA are those of scanpy", async (t) => {
  if (!python) return t.skip("CYTOMESH_PYTHON is not set");
  await check(t, await writeStudy(await tempDir(t), makeStudy(150, 200)), 60);
});

for (const file of ["cellarium_100x18082_ensembl.h5ad", "cellxgene_220x18357.h5ad"])
  test(`real counts of ${file}: genes, expression and PCA are those of scanpy`, async (t) => {
    if (!python) return t.skip("CYTOMESH_PYTHON is not set");
    const path = join(data, "omics", file);
    if (!existsSync(path)) return t.skip("shared data not present");
    await check(t, path, 1_000);
  });
