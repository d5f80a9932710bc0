import assert from "node:assert/strict";
import { test } from "node:test";
import { addRows, emptyMoments, normalizeTotal, selectHighlyVariable, totalsOf } from "./index.ts";
import { fromDense, syntheticCounts } from "./test-data.ts";

function momentsOf(rows: ReturnType<typeof syntheticCounts>) {
  return addRows(emptyMoments(rows.nCols), normalizeTotal(rows, totalsOf(rows)));
}

test("picks the genes that vary more than others of their mean", () => {
  // Gene 3 is on in half of the cells, at the mean of its neighbours, which hardly vary.
  const rows = fromDense(
    Array.from({ length: 60 }, (_, cell) =>
      Array.from({ length: 12 }, (_, gene) =>
        gene === 3 ? (cell % 2) * 20 : 10 + ((cell * (gene + 7)) % 5) / 10,
      ),
    ),
  );
  const normalized = addRows(emptyMoments(12), rows);
  assert.deepEqual([...selectHighlyVariable({ normalized, nTop: 1, method: "seurat" })], [3]);
});

test("gives exactly nTop positions, ascending", () => {
  const top = selectHighlyVariable({
    normalized: momentsOf(syntheticCounts(200, 150, 4)),
    nTop: 40,
    method: "seurat",
  });
  assert.equal(top.length, 40);
  assert.deepEqual(
    [...top],
    [...top].sort((a, b) => a - b),
  );
});

test("never picks a constant gene, and breaks ties by position", () => {
  const rows = fromDense([
    [1, 5, 0, 2, 2],
    [1, 9, 0, 4, 4],
    [1, 7, 0, 6, 6],
  ]);
  const normalized = addRows(emptyMoments(5), rows);
  assert.deepEqual([...selectHighlyVariable({ normalized, nTop: 99, method: "seurat" })], [1, 3, 4]);
  const two = [...selectHighlyVariable({ normalized, nTop: 2, method: "seurat" })];
  assert.ok(!(two.includes(4) && !two.includes(3)), "gene 4 equals gene 3 and comes after it");
});

test("copes with no expression at all, and refuses too few cells", () => {
  const silent = addRows(
    emptyMoments(3),
    fromDense([
      [0, 0, 0],
      [0, 0, 0],
    ]),
  );
  assert.equal(selectHighlyVariable({ normalized: silent, nTop: 2, method: "seurat" }).length, 0);
  assert.throws(() => selectHighlyVariable({ normalized: emptyMoments(3), nTop: 2, method: "seurat" }), {
    tag: "not_enough_rows",
  });
  assert.throws(() => selectHighlyVariable({ normalized: silent, nTop: 0, method: "seurat" }), {
    tag: "invalid_argument",
  });
});
