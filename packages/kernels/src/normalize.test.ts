import assert from "node:assert/strict";
import { test } from "node:test";
import { KernelError, normalizeLog1p, normalizeTotal, totalsOf } from "./index.ts";
import { fromDense, syntheticCounts, toDense } from "./test-data.ts";

test("normalises each row to the target sum and takes log1p, keeping the pattern", () => {
  const rows = syntheticCounts(40, 30, 1);
  const totals = totalsOf(rows);
  const normalized = normalizeLog1p(rows, totals, 10_000);
  assert.equal(normalized.indices, rows.indices);
  const dense = toDense(rows);
  toDense(normalized).forEach((row, r) => {
    const total = dense[r]!.reduce((sum, x) => sum + x, 0);
    row.forEach((value, c) => {
      assert.ok(Math.abs(value - Math.log(1 + (10_000 * dense[r]![c]!) / (total + 1e-6))) < 1e-12);
    });
  });
});

test("a total of 0 gives finite values", () => {
  const rows = fromDense([[0, 5]]);
  const value = normalizeLog1p(rows, Float64Array.of(0)).data[0]!;
  assert.ok(Number.isFinite(value) && value > 0);
  assert.deepEqual([...totalsOf(fromDense([[0, 0]]))], [0]);
});

test("names row and column of a value that is not a finite count", () => {
  for (const bad of [Number.NaN, Infinity, -Infinity, -1, 1e300]) {
    const rows = fromDense([
      [1, 0, 2],
      [0, 3, bad],
    ]);
    assert.throws(
      () => normalizeTotal(rows, Float64Array.of(3, 3)),
      (error: unknown) =>
        error instanceof KernelError && error.tag === "invalid_rows" && error.row === 1 && error.column === 2,
    );
  }
});

test("refuses blocks that are not CSR", () => {
  const rows = fromDense([
    [1, 2],
    [3, 0],
  ]);
  const broken = [
    { ...rows, indptr: Float64Array.of(0, 2) },
    { ...rows, indptr: Float64Array.of(0, 3, 2) },
    { ...rows, indptr: Float64Array.of(0, 2, 9) },
    { ...rows, indptr: Float64Array.of(0, Number.NaN, 3) },
    { ...rows, indices: Int32Array.of(0, 2, 0) },
    { ...rows, indices: Int32Array.of(0, -1, 0) },
    { ...rows, indices: Int32Array.of(1, 1, 0) },
    { ...rows, nRows: -1 },
  ];
  for (const block of broken) {
    assert.throws(() => totalsOf(block), {
      name: "KernelError",
      tag: "invalid_rows",
      grpcCode: "invalid_argument",
    });
  }
  assert.throws(() => normalizeTotal(rows, Float64Array.of(1)), { tag: "invalid_rows" });
  assert.throws(() => normalizeTotal(rows, Float64Array.of(1, Number.NaN)), { tag: "invalid_rows", row: 1 });
  assert.throws(() => normalizeTotal(rows, Float64Array.of(1, 1), 0), { tag: "invalid_argument" });
});

test("accepts unsorted columns and a range of a larger matrix", () => {
  const rows = { ...fromDense([[1, 2]]), indices: Int32Array.of(1, 0) };
  assert.deepEqual([...totalsOf(rows)], [3]);
  const all = syntheticCounts(10, 5, 2);
  const part = { ...all, nRows: 4, indptr: all.indptr.slice(3, 8) };
  assert.deepEqual([...totalsOf(part)], [...totalsOf(all)].slice(3, 7));
});
