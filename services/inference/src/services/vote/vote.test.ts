import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Ontology } from "@cytomesh/ontology";
import { buildResource, compileOntology, validateResource } from "@cytomesh/ontology";
import fc from "fast-check";
import type { QueryNeighbors } from "./index.ts";
import { ontologyAware, ontologyMatches, summaryStatistics, termPositions, VoteError } from "./index.ts";
import { percentile } from "./neighbors.ts";

const DATA =
  process.env.CYTOMESH_TEST_DATA ?? fileURLToPath(new URL("../../../../../../shared/data", import.meta.url));
const GOLDEN = `${DATA}/golden/cas_consensus`;
const skip = "shared data not present";

/** cell ← lymphocyte ← {T cell ← {CD4, CD8}, B cell}; "adrift" is not under the root. */
const LINEAGE: [id: string, label: string, parents: string[]][] = [
  ["CL:0000000", "cell", []],
  ["CL:0000542", "lymphocyte", ["CL:0000000"]],
  ["CL:0000084", "T cell", ["CL:0000542"]],
  ["CL:0000236", "B cell", ["CL:0000542"]],
  ["CL:0000624", "CD4 T", ["CL:0000084"]],
  ["CL:0000625", "CD8 T", ["CL:0000084"]],
  ["CL:0017500", "adrift", []],
];
const lineage: Ontology = compileOntology(
  buildResource(
    LINEAGE.map(([id, label, parents]) => ({ id, label, parents, obsolete: false, synonyms: [] })),
    { root: "CL:0000000", prefix: "CL:" },
  ),
);
const CATEGORIES = ["CL:0000624", "CL_0000625", "CL:0000236", "unknown", "CL:0000542", "CL:0017500"];
const codes = termPositions(lineage, CATEGORIES);

function neighbors(...pairs: [distance: number, code: number][]): QueryNeighbors {
  return {
    distances: Float64Array.from(pairs, ([distance]) => distance),
    labelCodes: Int32Array.from(pairs, ([, code]) => code),
  };
}

function vote(input: QueryNeighbors, options: { prune?: number; prefactor?: number } = {}) {
  return ontologyAware(input, codes, lineage, {
    pruneThreshold: options.prune ?? 0.01,
    weightingPrefactor: options.prefactor ?? 1,
  });
}

function scores(input: QueryNeighbors, options: { prune?: number; prefactor?: number } = {}) {
  return Object.fromEntries(
    ontologyMatches(vote(input, options), lineage).map((match) => [match.cellType, match.score]),
  );
}

test("the ontology-aware strategy reproduces the golden answer", (t) => {
  if (!existsSync(GOLDEN)) return t.skip(skip);
  const mini = JSON.parse(readFileSync(`${GOLDEN}/cell_ontology_resource_mini.json`, "utf8"));
  const expected = JSON.parse(readFileSync(`${GOLDEN}/ontology_aware_expected_response.json`, "utf8"))[0];
  const ontology = compileOntology(validateResource(mini));
  const result = ontologyAware(
    neighbors([0.9, 0], [0.87, 1]),
    termPositions(ontology, ["CL:0000789", "CL:0000084"]),
    ontology,
    { pruneThreshold: 0.1, weightingPrefactor: 1 },
  );
  const matches = ontologyMatches(result, ontology).map((match) => ({
    score: match.score,
    cell_type_ontology_term_id: match.cellTypeOntologyTermId,
    cell_type: match.cellType,
  }));
  assert.deepEqual(matches, expected.matches);
  assert.equal(result.totalWeight, expected.total_weight);
  assert.equal(result.totalNeighbors, expected.total_neighbors);
  assert.equal(result.totalNeighborsUnrecognized, expected.total_neighbors_unrecognized);
});

test("the summary statistics strategy reproduces the golden answer", (t) => {
  if (!existsSync(GOLDEN)) return t.skip(skip);
  const expected = JSON.parse(readFileSync(`${GOLDEN}/summary_stats_expected_response.json`, "utf8"))[0];
  const { matches } = summaryStatistics(neighbors([0.9, 0], [0.87, 1]), ["alpha-beta T cell", "T cell"]);
  const snake = matches.map((match) => ({
    cell_type: match.cellType,
    cell_count: match.cellCount,
    min_distance: match.minDistance,
    p25_distance: match.p25Distance,
    median_distance: match.medianDistance,
    p75_distance: match.p75Distance,
    max_distance: match.maxDistance,
  }));
  assert.deepEqual(snake, expected.matches);
});

test("percentiles interpolate as numpy's default does", () => {
  // numpy.percentile([1, 2, 4, 8], [25, 50, 75]) and of [0.1, 0.2, 0.3]
  const four = Float64Array.of(1, 2, 4, 8);
  assert.deepEqual(
    [0, 0.25, 0.5, 0.75, 1].map((q) => percentile(four, q)),
    [1, 1.75, 3, 5, 8],
  );
  const three = Float64Array.of(0.1, 0.2, 0.3);
  assert.deepEqual(
    [0.25, 0.5, 0.75].map((q) => percentile(three, q)),
    [0.15000000000000002, 0.2, 0.25],
  );
});

test("summary groups come by size, then by first appearance", () => {
  const { matches } = summaryStatistics(neighbors([1, 2], [2, 0], [3, 1], [4, 0], [5, 1], [6, 3]), [
    "a",
    "b",
    "c",
    "d",
  ]);
  assert.deepEqual(
    matches.map(({ cellType, cellCount }) => [cellType, cellCount]),
    [
      ["a", 2],
      ["b", 2],
      ["c", 1],
      ["d", 1],
    ],
  );
  assert.deepEqual(matches[0], {
    cellType: "a",
    cellCount: 2,
    minDistance: 2,
    p25Distance: 2.5,
    medianDistance: 3,
    p75Distance: 3.5,
    maxDistance: 4,
  });
});

test("neighbours without a label are counted as unrecognised, empty slots not at all", () => {
  const input = neighbors([1, 0], [2, -1], [3, 1], [4, 9], [Number.NaN, 0], [Number.POSITIVE_INFINITY, 0]);
  const summary = summaryStatistics(input, ["T cell", ""]);
  assert.equal(summary.totalNeighbors, 4);
  assert.equal(summary.totalNeighborsUnrecognized, 3);
  assert.deepEqual(
    summary.matches.map(({ cellType }) => cellType),
    ["T cell"],
  );
  const aware = vote(neighbors([1, 0], [1, -1], [1, 3], [1, 99], [Number.NaN, 0]));
  assert.equal(aware.totalNeighbors, 4);
  assert.equal(aware.totalNeighborsUnrecognized, 3);
});

test("an unrecognised neighbour's weight stays in the denominator", () => {
  const result = scores(neighbors([1, 0], [1, 3]));
  assert.equal(result.cell, 0.5);
  assert.equal(result["CD4 T"], 0.5);
});

test("a neighbour at the median weighs e to the minus prefactor", () => {
  const result = vote(neighbors([2, 0], [2, 0], [2, 0]), { prefactor: 1.5 });
  assert.ok(Math.abs(result.totalWeight - 3 * Math.exp(-1.5)) < 1e-15);
});

test("threshold 0 returns every term in resource order, zeros included", () => {
  const result = vote(neighbors([1, 0]), { prune: 0 });
  assert.deepEqual(
    [...result.terms],
    LINEAGE.map((_, term) => term),
  );
  assert.equal(scores(neighbors([1, 0]), { prune: 0 })["B cell"], 0);
});

test("a term scoring exactly the threshold is kept", () => {
  assert.equal(scores(neighbors([1, 0], [1, 2]), { prune: 0.5 })["B cell"], 0.5);
});

test("median 0 leaves the votes to the identical cells", () => {
  const result = scores(neighbors([0, 0], [0, 1], [0, 0], [7, 2]), { prune: 0 });
  assert.equal(result["CD4 T"], 2 / 3);
  assert.equal(result["B cell"], 0);
  assert.equal(result.cell, 1);
  assert.equal(vote(neighbors([-1e-9, 0], [-1e-9, 2], [5, 2])).totalWeight, 2);
});

test("weights that underflow are taken relative to the nearest neighbour", () => {
  const result = vote(neighbors([10, 0], [10.001, 2]), { prefactor: 5000, prune: 0 });
  assert.equal(result.totalWeight, 0);
  const share = result.scores[lineage.indexOf("CL:0000624")]!;
  assert.ok(Math.abs(share - 1 / (1 + Math.exp(-0.001 * (5000 / 10.0005)))) < 1e-9);
});

test("no neighbours give zero scores", () => {
  const result = vote(neighbors(), { prune: 0 });
  assert.equal(result.totalWeight, 0);
  assert.ok(result.scores.every((score) => score === 0));
  assert.deepEqual(summaryStatistics(neighbors(), CATEGORIES).matches, []);
});

test("parameters out of range are refused", () => {
  for (const prune of [-0.1, 1.1, Number.NaN]) assert.throws(() => vote(neighbors(), { prune }), VoteError);
  for (const prefactor of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => vote(neighbors(), { prefactor }), { tag: "invalid_parameter" });
  }
  assert.throws(() => vote({ distances: new Float64Array(2), labelCodes: new Int32Array(1) }), {
    tag: "shape_mismatch",
  });
});

test("for any neighbours scores are finite, in [0, 1], and never rise towards the leaves", () => {
  const distance = fc.oneof(
    fc.double({ min: 0, max: 10, noNaN: true }),
    fc.double(),
    fc.constantFrom(0, -0, 5e-324, 1e-320, 1e308, Number.MAX_VALUE, -Number.MAX_VALUE),
  );
  const pair = fc.tuple(distance, fc.integer({ min: -1, max: CATEGORIES.length }));
  const prefactor = fc.oneof(
    fc.double({ min: 0, max: 5, noNaN: true }),
    fc.constantFrom(0, 1e4, Number.MAX_VALUE),
  );
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 12 }), prefactor, (pairs, weighting) => {
      const input = neighbors(...(pairs as [number, number][]));
      const result = vote(input, { prune: 0, prefactor: weighting });
      assert.ok(Number.isFinite(result.totalWeight));
      result.scores.forEach((score, term) => {
        assert.ok(score >= 0 && score <= 1, `score ${score}`);
        for (const ancestor of lineage.ancestors(term)) assert.ok(result.scores[ancestor]! >= score);
      });
      for (const match of summaryStatistics(input, CATEGORIES).matches) {
        const values = [
          match.minDistance,
          match.p25Distance,
          match.medianDistance,
          match.p75Distance,
          match.maxDistance,
        ];
        assert.ok(values.every(Number.isFinite));
        values.forEach((value, i) => {
          if (i > 0) assert.ok(value >= values[i - 1]!);
        });
      }
    }),
    { numRuns: 500 },
  );
});
