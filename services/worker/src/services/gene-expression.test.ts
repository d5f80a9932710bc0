import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseTooMany } from "./answer.ts";
import { logNormalized, makeStudy, quietly, run, tempDir, writeStudy } from "./testing.ts";

interface Answer {
  genes: Record<string, { min: number; max: number; mean: number; stdev: number; expression: number[] }>;
  cells: number;
  cellIndices?: number[];
}

const study = makeStudy();
const oracle = logNormalized(study);
const columnOf = (gene: number, cells = Array.from({ length: study.cells }, (_, cell) => cell)) =>
  cells.map((cell) => oracle[cell * study.genes.length + gene]!);

function near(found: number | undefined, expected: number, tolerance = 1e-6): void {
  assert.ok(Math.abs((found ?? Number.NaN) - expected) <= tolerance, `${found} is not ${expected}`);
}

test("expression is log1p of counts per ten thousand, with min, max, mean and population deviation", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const answer = await run<Answer>(path, "GeneExpression", { genes: ["GENE7", "GENE3", "GENE0"] });
  assert.deepEqual(Object.keys(answer.genes), ["GENE7", "GENE3", "GENE0"]);
  assert.equal(answer.cells, study.cells);
  assert.equal(answer.cellIndices, undefined);
  for (const gene of [7, 3, 0]) {
    const expected = columnOf(gene);
    const { min, max, mean, stdev, expression } = answer.genes[`GENE${gene}`]!;
    expression.forEach((value, cell) => {
      near(value, expected[cell]!);
    });
    const average = expected.reduce((a, b) => a + b, 0) / expected.length;
    near(min, Math.min(...expected));
    near(max, Math.max(...expected));
    near(mean, average);
    near(stdev, Math.sqrt(expected.reduce((sum, x) => sum + (x - average) ** 2, 0) / expected.length));
  }
  assert.deepEqual(answer.genes.GENE0?.expression, new Array(study.cells).fill(0));
});

test("cells are chosen by values of an obs column or by cell-set keys, and named by position", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const wanted = study.louvain.flatMap((one, cell) => (one === "1" ? [] : [cell]));
  const choices = [
    { cells: { column: "louvain", values: ["0", "2"] } },
    { cellSets: ["louvain-0", "louvain-2"] },
    { cellSets: ["cell-type-T-0", "cell-type-T-2"] },
    { cellSets: ["louvain-0"], cells: { column: "louvain", values: ["2"] } },
    { cells: { column: "treated", values: ["False"] } },
  ];
  for (const choice of choices) {
    const answer = await run<Answer>(path, "GeneExpression", { genes: ["GENE5"], ...choice });
    assert.deepEqual(answer.cellIndices, wanted);
    assert.equal(answer.cells, wanted.length);
    const expected = columnOf(5, wanted);
    answer.genes.GENE5?.expression.forEach((value, i) => {
      near(value, expected[i]!);
    });
    near(answer.genes.GENE5?.mean, expected.reduce((a, b) => a + b, 0) / expected.length);
  }
});

test("unknown genes are refused together, each with close names", async (t) => {
  const path = await writeStudy(await tempDir(t), {
    ...study,
    genes: study.genes.map((one, i) => (i === 4 ? "TGFB1" : one)),
  });
  await assert.rejects(run(path, "GeneExpression", { genes: ["TGFB", "GENE5", "XYZ99999"] }), (error) => {
    const { tag, grpcCode, violations, message } = error as Error & {
      tag: string;
      grpcCode: string;
      violations: { field: string; description: string }[];
    };
    assert.equal(tag, "unknown-name");
    assert.equal(grpcCode, "invalid_argument");
    assert.deepEqual(violations, [
      { field: "spec.parameters.genes.0", description: 'no gene "TGFB" in X; close names: TGFB1' },
      { field: "spec.parameters.genes.2", description: 'no gene "XYZ99999" in X' },
    ]);
    assert.match(message, /TGFB1/);
    return true;
  });
});

test("a gene is found by a name column, and whatever its case if only one fits; an ambiguous one is refused", async (t) => {
  const symbols = study.genes.map((_, gene) => (gene < 2 ? "TWIN" : `Sym${gene}`));
  const path = await writeStudy(await tempDir(t), study, {
    var: { index: [...study.genes], columns: { feature_name: { kind: "string", values: symbols } } },
  });
  const answer = await run<Answer>(path, "GeneExpression", { genes: ["SYM6", "gene9"] });
  near(answer.genes.SYM6?.mean, columnOf(6).reduce((a, b) => a + b, 0) / study.cells);
  near(answer.genes.gene9?.mean, columnOf(9).reduce((a, b) => a + b, 0) / study.cells);
  await assert.rejects(run(path, "GeneExpression", { genes: ["TWIN"] }), {
    tag: "unknown-name",
    message: /2 genes of X are called "TWIN"; ask by id: GENE0, GENE1/,
  });
});

test("unknown columns, cell sets and values are refused together", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const parameters = {
    genes: ["GENE5"],
    cellSets: ["leiden-1", "louvain-9"],
    cells: { column: "lovain", values: ["1"] },
  };
  await assert.rejects(run(path, "GeneExpression", parameters), (error) => {
    const { violations } = error as unknown as { violations: { field: string; description: string }[] };
    assert.deepEqual(
      violations.map(({ field }) => field),
      ["spec.parameters.cells.column", "spec.parameters.cellSets.0", "spec.parameters.cellSets.1"],
    );
    assert.match(violations[2]?.description ?? "", /no cell has "9" in obs column louvain; it has 0, 1, 2/);
    return true;
  });
});

test("an answer beyond a message is refused before it is computed, one beyond a task for good", async (t) => {
  const path = await writeStudy(await tempDir(t), study);
  const genes = study.genes.slice(0, 20);
  await assert.rejects(run(path, "GeneExpression", { genes }, { refuseAboveBytes: 10_000 }), {
    tag: "result-too-large",
    grpcCode: "resource_exhausted",
    message: /SubmitTask/,
  });
  // Not resource_exhausted: a job would be tried again, and its answer be as large again.
  const context = { ...quietly, maxStructBytes: Number.POSITIVE_INFINITY };
  assert.throws(() => refuseTooMany(10_000_001, "ask for fewer genes or cells", context), {
    tag: "too-many-values",
    grpcCode: "invalid_argument",
  });
});

test("a gene that is called like something of JavaScript is a gene", async (t) => {
  const names = study.genes.map((one, gene) => ["__proto__", "constructor", "toString"][gene - 1] ?? one);
  const path = await writeStudy(await tempDir(t), { ...study, genes: names });
  const answer = await run<Answer>(path, "GeneExpression", { genes: ["__proto__", "constructor"] });
  assert.deepEqual(Object.keys(answer.genes), ["__proto__", "constructor"]);
  await assert.rejects(run(path, "GeneExpression", { genes: ["valueOf"] }), { tag: "unknown-name" });
});
