import assert from "node:assert/strict";
import { test } from "node:test";
import { AnnDataError } from "./errors.ts";
import { chooseFeatureIds } from "./feature-ids.ts";
import type { Column, DataFrame } from "./types.ts";

const ens = (i: number, suffix = "") => `ENSG${String(i).padStart(11, "0")}${suffix}`;
const text = (...values: (string | null)[]): Column => ({ kind: "string", values });

function frame(index: string[], columns: Record<string, Column> = {}): DataFrame {
  return {
    length: index.length,
    indexName: "_index",
    columnNames: Object.keys(columns),
    index: () => index,
    has: (name) => Object.hasOwn(columns, name),
    column(name) {
      const found = Object.hasOwn(columns, name) ? columns[name] : undefined;
      if (found === undefined) throw new AnnDataError("not-found", `no column ${name}`);
      return found;
    },
  };
}

test("an index of Ensembl ids wins over every column, and loses its versions", () => {
  const chosen = chooseFeatureIds(
    frame([ens(1, ".2"), ens(2), "SPIKE.1"], { gene_ids: text(ens(7), ens(8), ens(9)) }),
  );
  assert.deepEqual(chosen, { column: "", ids: [ens(1), ens(2), "SPIKE.1"] });
});

test("an index of symbols gives way to the most telling usual column of Ensembl ids, whatever its case", () => {
  const symbols = ["CD3E", "CD8A", "RP11-34P13.7"];
  const columns = {
    ortholog: text("ENSMUSG00000000001", "ENSMUSG00000000002", "ENSMUSG00000000003"),
    id: text(ens(1), ens(2), ens(3)),
    Gene_IDs: text(ens(4, ".10"), ens(5, ".1"), ens(6)),
    ensembl_id: text("a", "b", ens(3)),
  };
  assert.deepEqual(chooseFeatureIds(frame(symbols, columns)), {
    column: "Gene_IDs",
    ids: [ens(4), ens(5), ens(6)],
  });
  // Nothing usual: the index as it is, even beside ids of another species.
  assert.deepEqual(chooseFeatureIds(frame(symbols, { ortholog: columns.ortholog })), {
    column: "",
    ids: symbols,
  });
});

test("a column of numbers under a usual name is passed over; one that is named is taken", () => {
  const numbers: Column = {
    kind: "number",
    dtype: "int64",
    values: Float64Array.of(7157, 0, 672),
    mask: Uint8Array.of(0, 1, 0),
  };
  const table = frame(["TP53", "?", "BRCA1"], { gene_id: numbers });
  assert.equal(chooseFeatureIds(table).column, "");
  assert.deepEqual(chooseFeatureIds(table, "gene_id"), { column: "gene_id", ids: ["7157", "", "672"] });
});

test("missing ids are empty, not a word", () => {
  const codes: Column = {
    kind: "categorical",
    codes: Int32Array.of(1, -1, 0),
    categories: ["b.1", ens(2, ".3")],
    ordered: false,
  };
  const table = frame(["x", "y", "z"], { texts: text("a", null, ens(1, ".4")), codes });
  assert.deepEqual(chooseFeatureIds(table, "texts").ids, ["a", "", ens(1)]);
  assert.deepEqual(chooseFeatureIds(table, "codes").ids, [ens(2), "", "b.1"]);
});

test("the index can be asked for by name, and only an Ensembl id loses what looks like a version", () => {
  const odd = [ens(1, ".14_PAR_Y"), "ENSG0000001.2", ens(2, ".7"), "AC000123.4"];
  assert.deepEqual(
    chooseFeatureIds(frame(odd, { gene_ids: text(ens(1), ens(2), ens(3), ens(4)) }), "index"),
    {
      column: "",
      ids: [odd[0], odd[1], ens(2), odd[3]],
    },
  );
});

test("a column that is not there, or holds no ids, is refused", () => {
  const flags: Column = { kind: "boolean", values: Uint8Array.of(1) };
  const table = frame(["a"], { flags });
  const tagged = (tag: string) => (error: unknown) => error instanceof AnnDataError && error.tag === tag;
  assert.throws(() => chooseFeatureIds(table, "constructor"), tagged("not-found"));
  assert.throws(() => chooseFeatureIds(table, "flags"), tagged("invalid"));
  assert.deepEqual(chooseFeatureIds(frame([])), { column: "", ids: [] });
});
