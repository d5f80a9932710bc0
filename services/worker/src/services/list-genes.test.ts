import assert from "node:assert/strict";
import { test } from "node:test";
import { log1pInPlace } from "@cytomesh/kernels";
import { logNormalized, makeStudy, run, sparse, tempDir, writeStudy } from "./testing.ts";

interface Page {
  total: number;
  rows: Record<string, unknown>[];
  matrix: string;
}

const study = makeStudy();
const oracle = logNormalized(study);

/** log(variance / mean) of the normalised counts, the slow way. */
function dispersionOf(gene: number): number {
  const values = Array.from({ length: study.cells }, (_, cell) =>
    Math.expm1(oracle[cell * study.genes.length + gene]!),
  );
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return Math.log(variance / mean);
}

test("dispersions are log(variance / mean) of the normalised counts, null for a constant gene", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const { total, rows, matrix } = await run<Page>(path, "ListGenes", { limit: 100 });
  assert.equal(total, study.genes.length);
  assert.equal(matrix, "X");
  assert.deepEqual(rows[0], { gene_names: "GENE0", dispersions: null });
  for (const [gene, row] of rows.entries()) {
    assert.equal(row.gene_names, study.genes[gene]);
    if (gene > 0) assert.ok(Math.abs((row.dispersions as number) - dispersionOf(gene)) < 1e-6);
  }
});

test("log-normalised values give the same dispersions as the counts they were made from", async (t) => {
  const dir = await tempDir(t);
  const counted = await run<Page>(await writeStudy(dir, study), "ListGenes", { limit: 100 });
  const x = sparse(study.counts, study.cells, study.genes.length);
  x.data = Float64Array.from(logNormalized(study).filter((value) => value !== 0));
  const logged = await run<Page>(await writeStudy(dir, study, { x }), "ListGenes", { limit: 100 });
  for (const [i, row] of logged.rows.entries())
    if (i > 0)
      assert.ok(Math.abs((row.dispersions as number) - (counted.rows[i]?.dispersions as number)) < 1e-6);
});

test("order, offset and limit cut a page out of the whole; total counts the whole", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const order = { orderBy: "dispersions", selectFields: ["gene_names"] };
  const all = await run<Page>(path, "ListGenes", { ...order, orderDirection: "desc", limit: 100 });
  const page = await run<Page>(path, "ListGenes", { ...order, orderDirection: "DESC", offset: 3, limit: 4 });
  assert.equal(page.total, study.genes.length);
  assert.deepEqual(page.rows, all.rows.slice(3, 7));
  const expected = study.genes
    .map((_, gene) => gene)
    .slice(1)
    .sort((a, b) => dispersionOf(b) - dispersionOf(a));
  assert.deepEqual(
    all.rows.map((row) => row.gene_names),
    // The gene without a dispersion is last in either direction.
    [...expected, 0].map((gene) => `GENE${gene}`),
  );
  const ascending = await run<Page>(path, "ListGenes", { ...order, limit: 100 });
  assert.equal(ascending.rows.at(-1)?.gene_names, "GENE0");
  const beyond = await run<Page>(path, "ListGenes", { ...order, offset: 1_000 });
  assert.deepEqual([beyond.total, beyond.rows], [study.genes.length, []]);
});

test("a name filter takes % for any text, whatever the case, and total counts what passes", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const { total, rows } = await run<Page>(path, "ListGenes", {
    selectFields: ["gene_names"],
    geneNamesFilter: "%ene3%",
    limit: 2,
  });
  assert.equal(total, 11);
  assert.deepEqual(
    rows.map((row) => row.gene_names),
    ["GENE3", "GENE30"],
  );
});

test("columns of the file win over computed ones, and any column can be asked for", async (t) => {
  const n = study.genes.length;
  const path = await writeStudy(await tempDir(t), study, {
    var: {
      index: [...study.genes],
      columns: {
        highly_variable: { kind: "boolean", values: Uint8Array.from({ length: n }, (_, i) => i % 2) },
        dispersions: {
          kind: "number",
          dtype: "float64",
          values: Float64Array.from({ length: n }, (_, i) => (i === 5 ? Number.NaN : i)),
        },
        gene_ids: { kind: "string", values: study.genes.map((name, i) => (i === 2 ? null : `ID-${name}`)) },
      },
    },
  });
  const { rows } = await run<Page>(path, "ListGenes", {
    selectFields: ["highly_variable", "dispersions", "gene_ids"],
    limit: 6,
  });
  assert.deepEqual(rows[1], { highly_variable: true, dispersions: 1, gene_ids: "ID-GENE1" });
  assert.deepEqual(rows[2], { highly_variable: false, dispersions: 2, gene_ids: null });
  assert.equal(rows[5]?.dispersions, null);
});

test("as many genes as asked for are flagged as highly variable, those of highest normalised dispersion", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const { rows } = await run<Page>(path, "ListGenes", {
    selectFields: ["gene_names", "highly_variable"],
    nTopGenes: 7,
    limit: 100,
  });
  assert.equal(rows.filter((row) => row.highly_variable).length, 7);
});

test("an unknown column is refused with the columns there are", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  await assert.rejects(run(path, "ListGenes", { selectFields: ["gene_names", "chromosome"] }), {
    tag: "unknown-name",
    grpcCode: "invalid_argument",
    violations: [
      {
        field: "spec.parameters.selectFields",
        description: 'no column "chromosome"; there are gene_names, highly_variable, dispersions, _index',
      },
    ],
  });
});

test("a scaled matrix is refused, saying what was looked at", async (t) => {
  const x = sparse(study.counts, study.cells, study.genes.length);
  x.data = x.data.map((value) => value - 1.5) as Float64Array;
  const path = await writeStudy(await tempDir(t), study, { x });
  await assert.rejects(run(path, "ListGenes"), {
    tag: "unfit-file",
    grpcCode: "failed_precondition",
    message: /X holds negative values/,
  });
});

test("the layer counts is taken before X, and a choice is obeyed", async (t) => {
  const counts = sparse(study.counts, study.cells, study.genes.length);
  const x = { ...counts, data: Float64Array.from(counts.data) };
  log1pInPlace(x.data);
  const path = await writeStudy(await tempDir(t), study, { x, layers: { counts } });
  assert.equal((await run<Page>(path, "ListGenes")).matrix, "layers/counts");
  assert.equal((await run<Page>(path, "ListGenes", { matrix: "x" })).matrix, "X");
  await assert.rejects(run(path, "ListGenes", { matrix: "raw" }), { tag: "unfit-file" });
  await assert.rejects(run(path, "ListGenes", { matrix: "layer:none" }), { tag: "unfit-file" });
});
