import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { after, test } from "node:test";
import { createH5 } from "@cytomesh/hdf5";
import { openH5Source } from "./h5-source.ts";
import { openMatrix } from "./matrix.ts";
import { takeColumns } from "./select-features.ts";
import type { Source } from "./storage.ts";
import { counts, dense, temporaryFolder, types } from "./test-fixtures.ts";

const folder = temporaryFolder();
after(() => folder.remove());

const nRows = 400;
const nCols = 90;
const cells = counts(nRows, nCols);

/** A CSC matrix with unsorted rows and a duplicate in every column. */
function writeCsc(path: string): void {
  const indptr = [0];
  const indices: number[] = [];
  const data: number[] = [];
  for (let column = 0; column < nCols; column++) {
    for (let row = nRows - 1; row >= 0; row--) {
      const value = cells[row]![column]!;
      if (value === 0) continue;
      indices.push(row);
      data.push(value - 0.5);
    }
    // The other half of every value.
    const first = indptr[column]!;
    const half = indices.slice(first);
    indices.push(...half);
    data.push(...half.map(() => 0.5));
    indptr.push(indices.length);
  }
  const out = createH5(path);
  out.group("/X");
  out.attribute("/X", "encoding-type", "csc_matrix");
  out.attribute("/X", "shape", {
    shape: [2],
    type: types.int64,
    values: BigInt64Array.of(BigInt(nRows), BigInt(nCols)),
  });
  const array = (
    name: string,
    type: (typeof types)["int32" | "float32"],
    values: Int32Array | Float32Array,
  ) =>
    out.dataset(
      `/X/${name}`,
      { type, shape: [values.length], deflate: { level: 1 }, chunkRows: 512 },
      values,
    );
  array("indptr", types.int32, Int32Array.from(indptr));
  array("indices", types.int32, Int32Array.from(indices));
  array("data", types.float32, Float32Array.from(data));
  out.finish();
}

async function open(maxBytes: number, tempDir?: string) {
  const path = folder.path("csc.h5ad");
  if (!existsSync(path)) writeCsc(path);
  const file = await openH5Source(path, 1 << 30);
  let largest = 0;
  let reads = 0;
  const source: Source = {
    ...file,
    read: (info, start = 0, end = info.shape?.[0] ?? 1) => {
      largest = Math.max(largest, end - start);
      reads++;
      return file.read(info, start, end);
    },
  };
  const atClose: (() => void)[] = [() => file.close()];
  const matrix = openMatrix(
    source,
    "/X",
    { rows: nRows, columns: nCols, rowsSay: "obs", columnsSay: "var" },
    {
      maxBytes,
      ...(tempDir === undefined ? {} : { tempDir }),
      onClose: (callback) => atClose.push(callback),
    },
  );
  return {
    matrix,
    largest: () => largest,
    reads: () => reads,
    close: () => {
      for (const callback of atClose) callback();
    },
  };
}

test("a CSC matrix that fits is turned once", async (t) => {
  const { matrix, reads, close } = await open(1 << 24);
  t.after(close);
  assert.deepEqual(dense(matrix.rows(0, nRows)), cells);
  const after = reads();
  assert.deepEqual(dense(matrix.rows(17, 23)), cells.slice(17, 23));
  assert.equal(reads(), after);
});

test("a CSC matrix beyond maxBytes reads by rows all the same, holding a window of it", async (t) => {
  const temporary = folder.path("spill");
  mkdirSync(temporary);
  const maxBytes = 16 * 1024;
  const { matrix, largest, close } = await open(maxBytes, temporary);
  t.after(close);
  const entries = matrix.nnz!;
  assert.ok(entries * 8 > 8 * maxBytes, "the matrix must be much bigger than what may be held");
  let row = 0;
  for (const { start, rows } of matrix.batches(7)) {
    assert.equal(start, row);
    assert.deepEqual(dense(rows), cells.slice(start, start + rows.nRows));
    row += rows.nRows;
  }
  assert.equal(row, nRows);
  // In any order, over the borders of buckets.
  for (const [start, end] of [
    [390, 400],
    [3, 30],
    [200, 200],
    [0, 1],
  ] as const) {
    assert.deepEqual(dense(matrix.rows(start, end)), cells.slice(start, end));
  }
  assert.ok(largest() <= 1_024, `at most 1,024 entries are read at a time, found ${largest()}`);
  // The file of the entries has no name.
  assert.deepEqual(readdirSync(temporary), []);
});

test("ranges that are expected are found in one pass, many of them by sorting all", async (t) => {
  const temporary = folder.path("expected");
  mkdirSync(temporary);
  const { matrix, reads, close } = await open(16 * 1024, temporary);
  t.after(close);
  const ranges = [
    [390, 400],
    [0, 1],
    [200, 200],
    [31, 40],
  ] as const;
  matrix.expect!(ranges);
  const before = reads();
  for (const [start, end] of ranges)
    assert.deepEqual(dense(matrix.rows(start, end)), cells.slice(start, end));
  assert.equal(reads(), before);
  // Others are read all the same.
  assert.deepEqual(dense(matrix.rows(100, 110)), cells.slice(100, 110));
  matrix.expect!([
    [0, 200],
    [300, 400],
  ]);
  const sorted = reads();
  assert.deepEqual(dense(matrix.rows(350, 353)), cells.slice(350, 353));
  assert.deepEqual(dense(matrix.rows(0, 2)), cells.slice(0, 2));
  assert.equal(reads(), sorted);
});

test("entries come as they stand in the file, with their columns", async (t) => {
  const { matrix, close } = await open(1 << 24);
  t.after(close);
  const all = matrix.entries!(0, matrix.nnz!);
  const sums = cells.map((row) => row.map(() => 0));
  all.rows.forEach((row, i) => {
    sums[row]![all.columns[i]!]! += all.data[i]!;
  });
  assert.deepEqual(sums, cells);
  const some = matrix.entries!(700, 720);
  for (const name of ["rows", "columns", "data"] as const)
    assert.deepEqual([...some[name]], [...all[name].subarray(700, 720)]);
  const kept = takeColumns(matrix, Int32Array.of(1, 5, 88)).entries!(0, matrix.nnz!);
  assert.deepEqual(
    kept.rows.reduce((sum, row, i) => sum + row * kept.data[i]! + kept.columns[i]!, 0),
    all.rows.reduce((sum, row, i) => {
      const column = [1, 5, 88].indexOf(all.columns[i]!);
      return column < 0 ? sum : sum + row * all.data[i]! + column;
    }, 0),
  );
});

test("all of it by several threads is what one reads", async (t) => {
  const { matrix, close } = await open(1 << 24);
  t.after(close);
  assert.deepEqual(dense(await matrix.toCsr()), cells);
  const stopped = await open(1 << 24);
  t.after(stopped.close);
  await assert.rejects(stopped.matrix.toCsr({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
});

test("only rows that do not fit themselves are refused", async (t) => {
  const { matrix, close } = await open(16 * 1024);
  t.after(close);
  assert.throws(() => matrix.rows(0, nRows), { tag: "too-large" });
  assert.deepEqual(dense(matrix.rows(5, 9)), cells.slice(5, 9));
});

test("a folder that cannot take the entries is named", async (t) => {
  const { matrix, close } = await open(16 * 1024, folder.path("missing"));
  t.after(close);
  // The first requests pick their rows from the file; only then are the entries sorted on disk.
  matrix.rows(0, 5);
  matrix.rows(5, 10);
  assert.throws(() => matrix.rows(10, 15), { tag: "write-failed", message: /missing.*tempDir/ });
});
