import assert from "node:assert/strict";
import { test } from "node:test";
import type { DataFrame } from "@cytomesh/anndata";
import { chooseFeatureIds } from "./feature-ids.ts";

const schema = ["ENSG00000141510", "ENSG00000146648", "MT-CO1"];

function frame(index: string[], columns: Record<string, string[]> = {}): DataFrame {
  return {
    length: index.length,
    indexName: "_index",
    index: () => index,
    columnNames: Object.keys(columns),
    has: (name) => Object.hasOwn(columns, name),
    column: (name) => ({ kind: "string", values: columns[name] ?? [] }),
  };
}

test("versions of Ensembl ids are dropped where the model has the id without one", () => {
  const chosen = chooseFeatureIds(frame(["ENSG00000141510.18", "MT-CO1", "ENSG00000146648"]), schema);
  assert.deepEqual(chosen, {
    from: "index",
    ids: ["ENSG00000141510", "MT-CO1", "ENSG00000146648"],
    shared: 3,
  });
});

test("a column that shares more ids with the model wins over an index of symbols", () => {
  const chosen = chooseFeatureIds(
    frame(["TP53", "EGFR"], { gene_ids: ["ENSG00000141510.2", "ENSG00000146648"] }),
    schema,
  );
  assert.equal(chosen.from, "gene_ids");
  assert.equal(chosen.shared, 2);
});

test("no shared gene is an error that shows ids of both sides", () => {
  assert.throws(() => chooseFeatureIds(frame(["Trp53"]), schema), /"Trp53".*"ENSG00000141510"/);
});
