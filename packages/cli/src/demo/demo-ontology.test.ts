import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { zstdDecompressSync } from "node:zlib";
import { buildResource, compileOntology, parseOntologyGuide, validateResource } from "@cytomesh/ontology";
import { DEMO_CELL_TYPES } from "./cell-types.ts";
import { demoOntology } from "./demo-ontology.ts";
import { FAINT_TERMS, MARKERS } from "./genes.ts";

const DATA =
  process.env.CYTOMESH_TEST_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const GUIDE = `${DATA}/ontology/CL-ontology-v2025-07-30.json.zst`;

test("the demo ontology is sound and every term lies under the root", () => {
  const { resource, ontology } = demoOntology();
  assert.deepEqual(validateResource(resource), resource);
  const root = ontology.indexOf("CL:0000000");
  ontology.termIds.forEach((id, index) => {
    assert.ok(index === root || ontology.isAncestor(root, index), `${id} is not under the root`);
  });
});

test("cell types are leaves, and coarse terms are the same or ancestors", () => {
  const { ontology } = demoOntology();
  for (const { termId, coarseTermId } of DEMO_CELL_TYPES) {
    const term = ontology.indexOf(termId);
    assert.equal(ontology.children(term).length, 0, termId);
    assert.ok(termId === coarseTermId || ontology.isAncestor(ontology.indexOf(coarseTermId), term), termId);
  }
  for (const id of [...Object.keys(MARKERS), ...FAINT_TERMS]) assert.ok(ontology.indexOf(id) >= 0, id);
});

test("labels and the order of terms are those of the real Cell Ontology", (t) => {
  if (!existsSync(GUIDE)) return t.skip("shared data not present");
  const guide = parseOntologyGuide(JSON.parse(zstdDecompressSync(readFileSync(GUIDE)).toString()));
  const real = compileOntology(buildResource(guide, { root: "CL:0000000", prefix: "CL:" }));
  const { ontology } = demoOntology();
  const realIndex = ontology.termIds.map((id) => real.indexOf(id));
  ontology.termIds.forEach((id, index) => {
    assert.equal(ontology.label(index), real.label(realIndex[index]!), id);
    ontology.termIds.forEach((other, ancestor) => {
      assert.equal(
        ontology.isAncestor(ancestor, index),
        real.isAncestor(realIndex[ancestor]!, realIndex[index]!),
        `${other} over ${id}`,
      );
    });
  });
});
