import assert from "node:assert/strict";
import { test } from "node:test";
import { columnBuffer, type ScalarField } from "./column-buffer.ts";
import { encodeStrings } from "./column-chunk.ts";

const field: ScalarField = { name: "barcode", type: "string", optional: true };

/** What a column of these texts becomes through a map of the distinct ones. */
function throughMap(texts: readonly (string | null)[]) {
  const distinct = [...new Set(texts.filter((text) => text !== null))];
  const codeOf = new Map(distinct.map((text, code) => [text, code]));
  const codes = Int32Array.from(texts, (text) => (text === null ? -1 : codeOf.get(text)!));
  return encodeStrings(distinct, codes, field.optional, "none");
}

function pushed(texts: readonly (string | null)[]) {
  const buffer = columnBuffer(field);
  for (const text of texts) {
    if (text === null) buffer.pushNull();
    else buffer.pushString(text);
  }
  return buffer.finish("none");
}

const unique = (count: number, prefix: string) =>
  Array.from({ length: count }, (_, i) => (i % 11 === 5 ? null : `${prefix}-${(i * 7919) % 100_003}`));

test("texts that hardly repeat are encoded the same with and without a map of them", () => {
  for (const prefix of ["AAACCC", "Zürich", "細胞", "🧬"]) {
    const texts = unique(20_000, prefix);
    texts.splice(40, 0, "", "￿", "\u{1f9ec}", "same", "same");
    assert.deepEqual(pushed(texts), throughMap(texts));
    for (const { firstRow, rows, bounds } of pushed(texts).pages) {
      const page = texts.slice(firstRow, firstRow + rows).filter((text) => text !== null);
      const sorted = page.map((text) => Buffer.from(text)).sort(Buffer.compare);
      assert.deepEqual(bounds, { min: sorted[0], max: sorted.at(-1), nulls: rows - page.length });
    }
  }
  const long = Array.from({ length: 3_000 }, (_, i) => `${i}`.padStart(80, "x"));
  assert.deepEqual(pushed(long), throughMap(long));
});

test("a buffer begins anew after every chunk", () => {
  const buffer = columnBuffer(field);
  const rare = unique(5_000, "cell");
  const often = Array.from({ length: 5_000 }, (_, i) => `type ${i % 7}`);
  for (const texts of [rare, often, rare]) {
    for (const text of texts) {
      if (text === null) buffer.pushNull();
      else buffer.pushString(text);
    }
    assert.deepEqual(buffer.finish("none"), throughMap(texts));
  }
});

test("categories are taken by their codes, whatever came before", () => {
  const buffer = columnBuffer(field);
  const [first, second] = [
    ["b", "a", "c"],
    ["c", "b"],
  ];
  buffer.pushCategories(first!, Int8Array.of(0, -1, 2, 1), 0, 4);
  buffer.pushString("d");
  buffer.pushCategories(second!, Int8Array.of(1, 1, 0, -1), 1, 4);
  assert.deepEqual(buffer.finish("none"), throughMap(["b", null, "c", "a", "d", "b", "c", null]));
  const names = unique(2_000, "cell").map((text) => text ?? "none");
  for (const name of names) buffer.pushString(name);
  buffer.pushCategories(second!, Int8Array.of(0, -1, 1), 0, 3);
  assert.deepEqual(buffer.finish("none"), throughMap([...names, "c", null, "b"]));
});
