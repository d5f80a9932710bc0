import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OntologyError } from "./errors.ts";
import type { OntologyResource, OntologyTerm } from "./index.ts";
import { buildResource, compileOntology, parseObo, validateResource } from "./index.ts";
import { SMALL_OBO } from "./test-data.ts";

const CELL = { root: "CL:0000000", prefix: "CL:" };

function small(): OntologyResource {
  return buildResource(parseObo(SMALL_OBO), CELL);
}

function idOf(n: number): string {
  return `CL:${String(n).padStart(7, "0")}`;
}

function term(n: number, parents: readonly number[]): OntologyTerm {
  return { id: idOf(n), label: `term ${n}`, parents: parents.map(idOf), obsolete: false, synonyms: [] };
}

/** Random directed acyclic graphs: node n may only have parents below it; ids are shuffled by a permutation. */
const dag = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 24 })
  .map((rows) => rows.map((row, n) => [...new Set(n === 0 ? [] : row.map((p) => p % n))]));

test("the resource has the documented keys, sorted ids, and only labelled terms with the prefix", () => {
  const resource = small();
  assert.deepEqual(Object.keys(resource).sort(), [
    "ancestors_dictionary",
    "cell_ontology_term_id_to_cell_type",
    "children_dictionary",
    "cl_names",
    "longest_path_lengths_from_cell_root",
    "shortest_path_lengths_from_cell_root",
  ]);
  assert.deepEqual(resource.cl_names, [...resource.cl_names].sort());
  assert.equal(resource.cl_names.includes("CL:0009999"), false);
  assert.equal(resource.cl_names.includes("GO:0005623"), false);
  assert.deepEqual(resource.children_dictionary["CL:0000084"], ["CL:0000624", "CL:0000813"]);
  assert.deepEqual(resource.children_dictionary["CL:0000897"], []);
  assert.deepEqual(resource.ancestors_dictionary["CL:0000897"], [
    "CL:0000000",
    "CL:0000084",
    "CL:0000624",
    "CL:0000813",
    "CL:0000988",
  ]);
  assert.equal(resource.shortest_path_lengths_from_cell_root["CL:0000897"], 2);
  assert.equal(resource.longest_path_lengths_from_cell_root["CL:0000897"], 4);
});

test("obsolete terms stay without depth by default and leave on request", () => {
  const resource = small();
  assert.deepEqual(resource.ancestors_dictionary["CL:0000001"], []);
  assert.equal("CL:0000001" in resource.shortest_path_lengths_from_cell_root, false);
  const current = buildResource(parseObo(SMALL_OBO), { ...CELL, includeObsolete: false });
  assert.equal(current.cl_names.includes("CL:0000001"), false);
});

test("an unknown root, a missing parent and a cycle are told apart", () => {
  assert.throws(() => buildResource(parseObo(SMALL_OBO), { root: "CL:1234567", prefix: "CL:" }), {
    tag: "unknown_root",
  });
  assert.throws(() => buildResource([term(0, []), term(1, [7])], CELL), {
    tag: "dangling_id",
    message: /CL:0000007/,
  });
  assert.throws(() => buildResource([term(0, []), term(1, [3]), term(2, [1]), term(3, [2])], CELL), {
    tag: "cycle",
    message: /CL:0000001 is_a CL:0000003 is_a CL:0000002 is_a CL:0000001/,
  });
  assert.throws(() => buildResource([term(0, [0])], CELL), { tag: "cycle" });
});

test("a cycle of thousands of terms still gives a short message", () => {
  const ring = Array.from({ length: 5000 }, (_, n) => term(n + 1, [n === 0 ? 5000 : n]));
  assert.throws(
    () => buildResource([term(0, []), ...ring], CELL),
    (error: unknown) =>
      error instanceof OntologyError && error.tag === "cycle" && error.message.length < 1000,
  );
});

test("an ontology whose closure explodes is refused", () => {
  const chain = Array.from({ length: 3000 }, (_, n) => term(n, n === 0 ? [] : [n - 1]));
  assert.throws(() => buildResource(chain, CELL), { tag: "too_large" });
});

test("closure and depths of random ontologies agree with a naive walk", () => {
  fc.assert(
    fc.property(dag, (parents) => {
      const resource = buildResource(
        parents.map((list, n) => term(n, list)),
        CELL,
      );
      const paths = (n: number): number[] =>
        n === 0 ? [0] : parents[n]!.flatMap((p) => paths(p).map((d) => d + 1));
      const closure = (n: number): Set<number> => new Set(parents[n]!.flatMap((p) => [p, ...closure(p)]));
      parents.forEach((_, n) => {
        const id = idOf(n);
        const lengths = n < 12 ? paths(n) : undefined;
        assert.deepEqual(resource.ancestors_dictionary[id], [...closure(n)].map(idOf).sort());
        if (lengths === undefined) return;
        const reached = lengths.length > 0;
        assert.equal(
          resource.shortest_path_lengths_from_cell_root[id],
          reached ? Math.min(...lengths) : undefined,
        );
        assert.equal(
          resource.longest_path_lengths_from_cell_root[id],
          reached ? Math.max(...lengths) : undefined,
        );
      });
      assert.deepEqual(validateResource(JSON.parse(JSON.stringify(resource))), resource);
    }),
    { numRuns: 60 },
  );
});

test("compiled ancestors, bitset and depths say what the resource says", () => {
  fc.assert(
    fc.property(dag, (parents) => {
      const resource = buildResource(
        parents.map((list, n) => term(n, list)),
        CELL,
      );
      const ontology = compileOntology(resource);
      ontology.termIds.forEach((id, index) => {
        const names = resource.ancestors_dictionary[id]!;
        assert.deepEqual(
          [...ontology.ancestors(index)].map((a) => ontology.termIds[a]),
          names,
        );
        ontology.termIds.forEach((other, a) => {
          const bit = (ontology.ancestorBits[index * ontology.wordsPerRow + (a >>> 5)]! >>> (a & 31)) & 1;
          assert.equal(ontology.isAncestor(a, index), names.includes(other));
          assert.equal(bit === 1, names.includes(other));
        });
        assert.equal(
          ontology.depth(index, "longest"),
          resource.longest_path_lengths_from_cell_root[id] ?? -1,
        );
      });
    }),
    { numRuns: 30 },
  );
});

test("terms are found by either id spelling, by label, and by exact synonym", () => {
  const terms = parseObo(SMALL_OBO);
  const resource = small();
  const ontology = compileOntology(resource, { terms });
  const tCell = ontology.indexOf("CL:0000084");
  assert.equal(ontology.indexOf("CL_0000084"), tCell);
  assert.equal(ontology.indexOf("CL:7777777"), -1);
  assert.equal(ontology.label(tCell), "T cell");
  assert.equal(ontology.findByLabel("t CELL "), tCell);
  assert.equal(ontology.findByLabel("T lymphocyte"), tCell);
  assert.equal(ontology.findByLabel("mature T cell"), -1);
  assert.equal(ontology.findByLabel(""), -1);
  assert.equal(compileOntology(resource).findByLabel("T lymphocyte"), -1);
});

test("validation accepts underscore ids and a missing cl_names", () => {
  const resource = small();
  const { cl_names: _, ...older } = JSON.parse(JSON.stringify(resource).replaceAll("CL:", "CL_"));
  assert.deepEqual(validateResource(older), resource);
});

test("validation lists everything wrong at once", () => {
  assert.throws(
    () => validateResource({ ancestors_dictionary: [], children_dictionary: { "CL:1": "x" } }),
    (error: unknown) =>
      error instanceof OntologyError &&
      error.tag === "invalid_resource" &&
      error.problems.filter((problem) => problem.tag === "missing_key").length === 3 &&
      error.problems.length === 5,
  );
  for (const json of [null, 3, [], "x"])
    assert.throws(() => validateResource(json), { tag: "invalid_resource" });
});

function problemsAfter(change: (resource: OntologyResource) => void): string {
  const resource = small();
  change(resource);
  try {
    validateResource(resource);
  } catch (error) {
    if (error instanceof OntologyError) return error.problems.map((p) => `${p.tag}: ${p.message}`).join("\n");
    throw error;
  }
  return "";
}

test("validation finds each kind of damage", () => {
  assert.match(
    problemsAfter((r) => r.ancestors_dictionary["CL:0000084"]!.push("CL:1")),
    /dangling_id.*CL:1/,
  );
  assert.match(
    problemsAfter((r) => r.children_dictionary["CL:0000897"]!.push("CL:0000084")),
    /cycle.* is_a /,
  );
  assert.match(
    problemsAfter((r) => r.ancestors_dictionary["CL:0000084"]!.push("CL:0000084")),
    /cycle.*own ancestor/,
  );
  assert.match(
    problemsAfter((r) => r.ancestors_dictionary["CL:0000897"]!.pop()),
    /missing among its ancestors/,
  );
  assert.match(
    problemsAfter((r) => delete r.children_dictionary["CL:0000897"]),
    /missing_key.*children_dictionary/,
  );
  assert.match(
    problemsAfter((r) => delete r.cell_ontology_term_id_to_cell_type["CL:0000897"]),
    /has no label/,
  );
  assert.match(
    problemsAfter((r) => r.cl_names.pop()),
    /cl_names has/,
  );
  assert.match(
    problemsAfter((r) => delete r.longest_path_lengths_from_cell_root["CL:0000897"]),
    /longest path absent/,
  );
  assert.match(
    problemsAfter((r) => {
      r.shortest_path_lengths_from_cell_root["CL:0000897"] = Number.NaN;
    }),
    /whole number/,
  );
});

test("arbitrary JSON is refused with the package's error", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      assert.throws(() => validateResource(json), OntologyError);
      assert.throws(() => validateResource({ ...small(), ancestors_dictionary: json }), OntologyError);
    }),
  );
});
