import assert from "node:assert/strict";
import { test } from "node:test";
import { maxCategories, metadataColumn } from "./index-columns.ts";

test("every kind of column becomes sorted categories, and what is missing has none", () => {
  const values = (column: Parameters<typeof metadataColumn>[1]) => {
    const { codes, categories } = metadataColumn("c", column);
    return [...Array.from(codes, (code) => categories[code] ?? null), ...categories];
  };
  assert.deepEqual(values({ kind: "string", values: ["b", null, "a", "b"] }), [
    "b",
    null,
    "a",
    "b",
    "a",
    "b",
  ]);
  assert.deepEqual(
    values({ kind: "boolean", values: Uint8Array.of(1, 0, 1), mask: Uint8Array.of(0, 0, 1) }),
    ["True", "False", null, "False", "True"],
  );
  assert.deepEqual(
    values({ kind: "number", dtype: "float64", values: Float64Array.of(2, Number.NaN, 1.5) }),
    ["2", null, "1.5", "1.5", "2"],
  );
  const categorical = { codes: Int32Array.of(1, -1), categories: ["z", "y"], ordered: false };
  assert.deepEqual(values({ kind: "categorical", ...categorical }), ["y", null, "z", "y"]);
});

test("a column of ids is refused", () => {
  const ids = Array.from({ length: maxCategories + 1 }, (_, i) => `id ${i}`);
  assert.throws(() => metadataColumn("barcode", { kind: "string", values: ids }), {
    tag: "too-many-categories",
    message: /barcode.*65536/,
  });
  assert.equal(
    metadataColumn("b", { kind: "string", values: ids.slice(1) }).categories.length,
    maxCategories,
  );
});
