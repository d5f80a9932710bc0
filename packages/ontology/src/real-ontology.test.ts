import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { buildResource, compileOntology, parseObo, parseOntologyGuide, validateResource } from "./index.ts";
import { isRecord, record } from "./json.ts";
import { sharedData } from "./test-data.ts";

const CELL = { root: "CL:0000000", prefix: "CL:" };
const oboFile = sharedData("ontology/cl-basic.obo");
const guideFile = sharedData("ontology/CL-ontology-v2025-07-30.json.zst");
const miniFile = sharedData("golden/cas_consensus/cell_ontology_resource_mini.json");
const skip = "shared data not present";

function readObo() {
  return parseObo(readFileSync(oboFile!, "utf8"));
}

function readGuide(): Record<string, unknown> {
  return record(JSON.parse(zstdDecompressSync(readFileSync(guideFile!)).toString()), "guide");
}

test("the real Cell Ontology builds, validates and compiles", (t) => {
  if (oboFile === undefined) return t.skip(skip);
  const terms = readObo();
  const resource = buildResource(terms, CELL);
  assert.deepEqual(validateResource(resource), resource);
  const ontology = compileOntology(resource, { terms });
  assert.ok(ontology.termIds.length > 2500);
  const tCell = ontology.findByLabel("T-lymphocyte");
  assert.equal(ontology.termIds[tCell], "CL:0000084");
  assert.ok(ontology.isAncestor(ontology.findByLabel("cell"), tCell));
  const current = new Set(terms.filter((term) => !term.obsolete).map((term) => term.id));
  const adrift = resource.cl_names.filter(
    (id) => current.has(id) && !(id in resource.shortest_path_lengths_from_cell_root),
  );
  // Kinds of cytoplasm and qualities of nuclei: they carry CL ids but are no cells.
  assert.ok(adrift.length < 20, `not under the root: ${adrift.join(", ")}`);
});

test("the golden mini resource is the real ontology restricted to its 14 terms", (t) => {
  if (oboFile === undefined || miniFile === undefined) return t.skip(skip);
  const golden = validateResource(JSON.parse(readFileSync(miniFile, "utf8")));
  const ids = new Set(golden.cl_names);
  assert.equal(ids.size, 14);
  const mini = buildResource(
    readObo()
      .filter((term) => ids.has(term.id))
      .map((term) => ({ ...term, parents: term.parents.filter((parent) => ids.has(parent)) })),
    CELL,
  );
  assert.deepEqual(mini.cell_ontology_term_id_to_cell_type, golden.cell_ontology_term_id_to_cell_type);
  assert.deepEqual(mini.children_dictionary, golden.children_dictionary);
  assert.deepEqual(mini.shortest_path_lengths_from_cell_root, golden.shortest_path_lengths_from_cell_root);
  assert.deepEqual(mini.longest_path_lengths_from_cell_root, golden.longest_path_lengths_from_cell_root);
  for (const id of ids) {
    // The golden file lists ancestors in its own key order, the current script in id order.
    assert.deepEqual(mini.ancestors_dictionary[id], [...golden.ancestors_dictionary[id]!].sort());
  }
  assert.deepEqual(compileOntology(golden).termIds, Object.keys(golden.ancestors_dictionary));
});

test("closure and shortest depths equal the ancestor distances the ontology guide publishes", (t) => {
  if (guideFile === undefined) return t.skip(skip);
  const guide = readGuide();
  const resource = buildResource(parseOntologyGuide(guide), CELL);
  assert.ok(resource.cl_names.length > 3000);
  const different: string[] = [];
  for (const id of resource.cl_names) {
    const entry = record(guide[id], id);
    const distances = isRecord(entry.ancestors) ? entry.ancestors : {};
    const sameClosure = Object.keys(distances).sort().join() === resource.ancestors_dictionary[id]!.join();
    const depth = id === "CL:0000000" ? 0 : distances["CL:0000000"];
    if (!sameClosure || depth !== resource.shortest_path_lengths_from_cell_root[id]) different.push(id);
  }
  // A handful hang below the root only through another ontology's terms, whose edges the guide does not publish.
  assert.ok(different.length <= 12, `different: ${different.join(", ")}`);
});

test("two releases of the Cell Ontology, from two formats, agree on labels of shared terms", (t) => {
  if (oboFile === undefined || guideFile === undefined) return t.skip(skip);
  const older = new Map(readObo().map((term) => [term.id, term]));
  const newer = parseOntologyGuide(readGuide()).filter((term) => !term.obsolete && term.label !== "");
  const shared = newer.filter((term) => older.get(term.id)?.obsolete === false);
  const same = shared.filter((term) => older.get(term.id)?.label === term.label);
  assert.ok(shared.length > 2500);
  assert.ok(same.length / shared.length > 0.9, `${same.length} of ${shared.length} labels agree`);
});
