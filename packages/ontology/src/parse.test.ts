import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { OntologyError } from "./errors.ts";
import { buildResource, normalizeTermId, parseObo, parseOboGraphs, parseOntologyGuide } from "./index.ts";
import { SMALL_OBO } from "./test-data.ts";

const PURL = "http://purl.obolibrary.org/obo/";

function tagOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OntologyError) return error.tag;
    throw error;
  }
  return "none";
}

test("OBO terms carry id, label, is_a parents, obsolescence and synonyms", () => {
  const terms = parseObo(SMALL_OBO);
  assert.equal(terms.length, 9);
  const byId = new Map(terms.map((term) => [term.id, term]));
  assert.deepEqual(byId.get("CL:0000084"), {
    id: "CL:0000084",
    label: "T cell",
    parents: ["CL:0000988"],
    obsolete: false,
    synonyms: [
      { text: "T lymphocyte", scope: "exact" },
      { text: "mature T cell", scope: "related" },
      { text: 'the "T" cell', scope: "exact" },
    ],
  });
  assert.deepEqual(byId.get("CL:0000813")?.parents, ["CL:0000084"]);
  assert.equal(byId.get("CL:0000001")?.obsolete, true);
  assert.equal(byId.get("CL:0000001")?.replacedBy, "CL:0000084");
  assert.equal(byId.has("develops_from"), false);
});

test("Windows line ends and a byte order mark change nothing", () => {
  assert.deepEqual(parseObo(`\ufeff${SMALL_OBO.replaceAll("\n", "\r\n")}`), parseObo(SMALL_OBO));
});

test("underscore ids and PURLs become colon ids", () => {
  assert.equal(normalizeTermId("CL_0000084"), "CL:0000084");
  assert.equal(normalizeTermId(" CL:0000084 "), "CL:0000084");
  assert.equal(normalizeTermId(`${PURL}CL_0000084`), "CL:0000084");
  assert.equal(normalizeTermId("unknown"), "unknown");
  assert.deepEqual(
    parseObo(SMALL_OBO.replaceAll("CL:", "CL_")).map((term) => term.id),
    parseObo(SMALL_OBO).map((term) => term.id),
  );
});

test("broken OBO text names the line", () => {
  assert.throws(() => parseObo("[Term]\nid: CL:0000000\nname cell\n"), { tag: "syntax", message: /line 3/ });
  assert.throws(() => parseObo("[Term]\nname: cell\n"), { tag: "syntax", message: /line 1.*no id/ });
  assert.throws(() => parseObo('[Term]\nid: CL:1\nsynonym: "open\n'), { tag: "syntax", message: /line 3/ });
  assert.throws(() => parseObo("[Term]\nid: CL:1\n[Term]\nid: CL_1\n"), {
    tag: "duplicate_id",
    message: /line 1/,
  });
  assert.throws(() => parseObo("<html></html>"), { tag: "syntax" });
});

test("any text either parses or throws the package's error", () => {
  const piece = fc.oneof(
    fc.constantFrom("[Term]\n", "id: CL:1\n", "name: x\n", 'synonym: "', "is_a:", "\\"),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      assert.match(
        tagOf(() => parseObo(pieces.join(""))),
        /^(none|syntax|duplicate_id)$/,
      );
    }),
  );
});

test("OBO-graphs JSON of the same ontology gives the same terms", () => {
  const terms = parseObo(SMALL_OBO);
  const iri = (id: string): string => PURL + id.replace(":", "_");
  const nodes = terms.map((term) => ({
    id: iri(term.id),
    type: "CLASS",
    ...(term.label === "" ? {} : { lbl: term.label }),
    meta: {
      ...(term.obsolete ? { deprecated: true } : {}),
      synonyms: term.synonyms.map(({ text, scope }) => ({
        pred: `has${scope[0]!.toUpperCase()}${scope.slice(1)}Synonym`,
        val: text,
      })),
      basicPropertyValues:
        term.replacedBy === undefined ? [] : [{ pred: `${PURL}IAO_0100001`, val: iri(term.replacedBy) }],
    },
  }));
  const edges = terms.flatMap((term) =>
    term.parents.map((parent) => ({ sub: iri(term.id), pred: "is_a", obj: iri(parent) })),
  );
  edges.push({ sub: iri("CL:0000084"), pred: `${PURL}RO_0002202`, obj: iri("CL:0000000") });
  const property = { id: `${PURL}RO_0002202`, type: "PROPERTY", lbl: "develops from" };
  assert.deepEqual(parseOboGraphs({ graphs: [{ nodes: [...nodes, property], edges }] }), terms);
});

test("OBO-graphs and guide documents of the wrong shape name the place", () => {
  assert.throws(() => parseOboGraphs(null), { tag: "invalid_value" });
  assert.throws(() => parseOboGraphs({}), { tag: "missing_key", message: /graphs/ });
  assert.throws(() => parseOboGraphs({ graphs: [{ nodes: [{ id: 3 }] }] }), {
    message: /graphs\[0\]\.nodes\[0\]\.id/,
  });
  assert.throws(() => parseOboGraphs({ graphs: [{ nodes: [{ id: "CL_1" }], edges: [{ pred: "is_a" }] }] }), {
    message: /edges\[0\]/,
  });
  assert.throws(() => parseOntologyGuide([]), { tag: "invalid_value" });
  assert.throws(() => parseOntologyGuide({ nonsense: {} }), { tag: "invalid_value", message: /nonsense/ });
  assert.throws(() => parseOntologyGuide({ "CL:1": { ancestors: { "CL:2": 0 } } }), {
    message: /CL:1\.ancestors\.CL:2/,
  });
});

test("arbitrary JSON never escapes the package's error", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (json) => {
      tagOf(() => parseOboGraphs(json));
      tagOf(() => parseOboGraphs({ graphs: [{ nodes: json, edges: json }] }));
      tagOf(() => parseOntologyGuide(json));
      tagOf(() => parseOntologyGuide({ "CL:1": json }));
    }),
  );
});

test("the guide's distance-1 ancestors are the parents", () => {
  const guide = {
    "CL:0000000": { ancestors: {}, label: "cell", deprecated: false },
    "CL:0000988": { ancestors: { "CL:0000000": 1 }, label: "hematopoietic cell", deprecated: false },
    "CL:0000084": {
      ancestors: { "CL:0000988": 1, "CL:0000000": 2 },
      label: "T cell",
      synonyms: ["T-cell"],
      deprecated: false,
    },
    "CL:0000001": { ancestors: {}, label: "obsolete", deprecated: true, replaced_by: "CL:0000084" },
  };
  const terms = parseOntologyGuide(guide);
  assert.deepEqual(terms[2]?.parents, ["CL:0000988"]);
  assert.deepEqual(terms[2]?.synonyms, [{ text: "T-cell", scope: "exact" }]);
  assert.equal(terms[3]?.replacedBy, "CL:0000084");
  const resource = buildResource(terms, { root: "CL:0000000", prefix: "CL:" });
  assert.deepEqual(resource.ancestors_dictionary["CL:0000084"], ["CL:0000000", "CL:0000988"]);
});
