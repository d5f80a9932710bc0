import assert from "node:assert/strict";
import { openSync, readdirSync, readlinkSync } from "node:fs";
import { after, test } from "node:test";
import fc from "fast-check";
import type { CompressedArrays } from "../compressed-arrays.ts";
import type { ArrayInfo, Source } from "../storage.ts";
import { dense, temporaryFolder } from "../test-fixtures.ts";
import { turnInMemory, turnInParallel } from "./in-memory.ts";
import { sortAll, sortInParallel } from "./sorted-rows.ts";
import { closeTurnStore, createTurnStore } from "./store.ts";
import { turningOf } from "./turning.ts";

const folder = temporaryFolder();
after(() => folder.remove());

type Numbers = Int32Array | Float32Array | Float64Array;

/** The arrays of a matrix by column, in memory. */
function arraysOf(
  indptr: readonly number[],
  rows: readonly number[],
  values: readonly number[],
  wide: boolean,
  nRows: number,
): CompressedArrays {
  const info = (path: string, length: number): ArrayInfo => ({
    path,
    type: { kind: "int", size: 4, signed: true },
    shape: [length],
    chunks: [3],
  });
  const held: Record<string, Numbers> = {
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(rows),
    data: wide ? Float64Array.from(values) : Float32Array.from(values),
  };
  const source = {
    read: ({ path }: ArrayInfo, start?: number, end?: number) => held[path]!.slice(start, end),
  } as unknown as Source;
  return {
    source,
    where: "/X",
    indptr: info("indptr", indptr.length),
    indices: info("indices", rows.length),
    data: info("data", rows.length),
    dtype: wide ? "float64" : "float32",
    nnz: rows.length,
    minor: nRows,
    minorSays: `obs has ${nRows} cells`,
  };
}

interface Case {
  nRows: number;
  columns: { row: number; value: number }[][];
}

/** Columns with their rows in any order, some of them more than once. */
const cases: fc.Arbitrary<Case> = fc.integer({ min: 1, max: 70 }).chain((nRows) => {
  const entry = fc.record({ row: fc.nat({ max: nRows - 1 }), value: fc.integer({ min: -9, max: 300 }) });
  return fc.record({
    nRows: fc.constant(nRows),
    columns: fc.array(fc.array(entry, { maxLength: 40 }), { maxLength: 12 }),
  });
});

/** Its arrays, and what it holds. */
function matrixOf({ nRows, columns }: Case, wide: boolean) {
  const entries = columns.flat();
  const indptr = [0];
  for (const column of columns) indptr.push(indptr.at(-1)! + column.length);
  const expected = Array.from({ length: nRows }, () => columns.map(() => 0));
  columns.forEach((column, c) => {
    for (const { row, value } of column) expected[row]![c]! += value;
  });
  const rows = entries.map(({ row }) => row);
  const values = entries.map(({ value }) => value);
  return { arrays: arraysOf(indptr, rows, values, wide, nRows), expected };
}

const howOf = fc.record({
  wide: fc.boolean(),
  stepEntries: fc.integer({ min: 1, max: 50 }),
  bucketEntries: fc.integer({ min: 1, max: 50 }),
  inMemory: fc.boolean(),
  reuseRows: fc.boolean(),
  backwards: fc.boolean(),
});

test("steps in any order, in memory or on disk, give the rows of the matrix, and what was written has no name", () => {
  fc.assert(
    fc.property(cases, howOf, fc.nat(), fc.nat(), ({ nRows, columns }, how, a, b) => {
      const { arrays, expected } = matrixOf({ nRows, columns }, how.wide);
      const limits = { maxBytes: 1 << 20, reuseRows: how.reuseRows };
      const turning = turningOf(arrays, nRows, columns.length, limits);
      const plan = turning.plan(how);
      const store = createTurnStore(plan, how.inMemory ? 1 << 20 : -1, folder.path("."));
      try {
        const steps = Array.from({ length: plan.steps }, (_, step) => step);
        for (const step of how.backwards ? steps.reverse() : steps) turning.step(store, step);
        const width = 2 ** plan.shift;
        for (let from = 0; from < nRows; from += width) {
          const to = Math.min(nRows, from + width);
          const read = turning.rows(store, from, to);
          assert.deepEqual(dense(read), expected.slice(from, to));
          assert.equal(read.data instanceof Float64Array, how.wide);
          const [start, end] = [from + (a % (to - from)), from + (b % (to - from))].sort((x, y) => x - y);
          assert.deepEqual(dense(turning.rows(store, start!, end!)), expected.slice(start, end));
        }
        assert.deepEqual(dense(turning.all(store)), expected);
      } finally {
        closeTurnStore(store);
      }
      assert.deepEqual(readdirSync(folder.path(".")), []);
    }),
  );
});

test("all rows at once, in memory or through the disk, in one thread or several, are those of the matrix", async () => {
  await fc.assert(
    fc.asyncProperty(
      cases,
      fc.boolean(),
      fc.integer({ min: 1, max: 50 }),
      async (input, wide, blockEntries) => {
        const { arrays, expected } = matrixOf(input, wide);
        const [nRows, nCols] = [input.nRows, input.columns.length];
        const matrix = { arrays, nRows, nCols, blockEntries };
        const atClose: (() => void)[] = [];
        const limits = {
          maxBytes: 1 << 20,
          tempDir: folder.path("."),
          onClose: (callback: () => void) => void atClose.push(callback),
        };
        const turning = turningOf(arrays, nRows, nCols, limits);
        try {
          assert.deepEqual(dense(turnInMemory(matrix)), expected);
          assert.deepEqual(dense(await turnInParallel(matrix, {})), expected);
          const sorted = [
            sortAll(matrix, turning, limits),
            await sortInParallel(matrix, turning, limits, {}),
          ];
          for (const { all, rows } of sorted) {
            assert.deepEqual(dense(all()), expected);
            assert.deepEqual(dense(rows(0, nRows)), expected);
            assert.deepEqual(dense(rows(nRows >> 2, nRows >> 1)), expected.slice(nRows >> 2, nRows >> 1));
          }
        } finally {
          for (const callback of atClose) callback();
        }
        assert.deepEqual(readdirSync(folder.path(".")), []);
      },
    ),
  );
});

test("values of any kind and columns too far apart for a code come back as they are", () => {
  const odd = [0, -0, 1, 254, 255, 256, -1, 0.5, 1e9, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 24];
  const [nRows, nCols] = [70_000, 900];
  const indptr = Array.from({ length: nCols + 1 }, (_, column) => column * 5);
  const rows = Array.from({ length: nCols * 5 }, (_, i) => (i * 7_919) % nRows);
  const values = rows.map((_, i) => odd[i % odd.length]!);
  for (const wide of [false, true]) {
    const arrays = arraysOf(indptr, rows, values, wide, nRows);
    const expected = turnInMemory({ arrays, nRows, nCols, blockEntries: 1_000 });
    const turning = turningOf(arrays, nRows, nCols, { maxBytes: 1 << 20 });
    for (const stepEntries of [300, 3_000]) {
      const plan = turning.plan({ stepEntries, bucketEntries: 10_000 });
      assert.equal(plan.shift, 16);
      const store = createTurnStore(plan, 1 << 20);
      for (let step = 0; step < plan.steps; step++) turning.step(store, step);
      assert.deepEqual(turning.all(store), expected);
    }
  }
});

test("who gives up while all is sorted gets their reason, and the file is closed", async () => {
  const { arrays } = matrixOf({ nRows: 2, columns: [[{ row: 0, value: 1 }], [{ row: 1, value: 2 }]] }, false);
  const matrix = { arrays, nRows: 2, nCols: 2, blockEntries: 1 };
  const enough = new AbortController();
  const { read } = arrays.source;
  arrays.source.read = (...call) => {
    enough.abort(new Error("enough"));
    return read(...call);
  };
  const limits = { maxBytes: 1 << 20, tempDir: folder.path("."), onClose: () => undefined };
  const turning = turningOf(arrays, 2, 2, limits);
  await assert.rejects(sortInParallel(matrix, turning, limits, { signal: enough.signal }), /enough/);
  assert.deepEqual(openFiles("cytomesh-turn"), []);
});

/** What this process has open with `part` in its name, removed or not; only Linux tells. */
function openFiles(part: string): string[] {
  if (process.platform !== "linux") return [];
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.includes(part) ? [path] : [];
    } catch {
      return []; // the listing's own
    }
  });
}

test("a row outside the matrix is refused by the step that has it, and offsets that fall by every step", () => {
  const sorted = (indptr: number[], rows: number[]) => {
    const turning = turningOf(arraysOf(indptr, rows, [1, 1, 1, 1], false, 5), 5, 2, { maxBytes: 1 << 20 });
    const store = createTurnStore(turning.plan({ stepEntries: 3, bucketEntries: 2 }), 1 << 20);
    return (step: number) => turning.step(store, step);
  };
  for (const bad of [5, -1, 2 ** 31 - 1]) {
    const step = sorted([0, 2, 4], [0, 1, 2, bad]);
    step(0);
    assert.throws(() => step(1), {
      tag: "invalid",
      message: `/X/indices[3] = ${bad} but obs has 5 cells`,
    });
  }
  assert.throws(() => sorted([0, 3, 2], [0, 1, 2, 3])(0), {
    tag: "invalid",
    message: /offsets must not fall/,
  });
  assert.throws(() => sorted([0, 2, 3], [0, 1, 2, 3])(0), {
    tag: "invalid",
    message: /but there are 4 entries/,
  });
});

test("rows beyond maxBytes are refused, fewer of them are read", () => {
  const rows = Array.from({ length: 40 }, (_, i) => i % 8);
  const indptr = [0, 8, 16, 24, 32, 40];
  const turning = turningOf(
    arraysOf(
      indptr,
      rows,
      rows.map(() => 1),
      false,
      8,
    ),
    8,
    5,
    { maxBytes: 100 },
  );
  const store = createTurnStore(turning.plan({ stepEntries: 16, bucketEntries: 40 }), 1 << 20);
  for (let step = 0; step < store.steps; step++) turning.step(store, step);
  assert.throws(() => turning.rows(store, 0, 8), { tag: "too-large", message: /rows 0 to 8 take 320 bytes/ });
  assert.equal(turning.rows(store, 3, 5).indices.length, 10);
});

test("a full disk and a folder that is not there are told with what is needed and what helps", (t) => {
  const turning = turningOf(arraysOf([0, 2], [0, 1], [1, 1], false, 2), 2, 1, { maxBytes: 1 << 20 });
  const plan = turning.plan({ stepEntries: 3, bucketEntries: 2 });
  assert.throws(() => createTurnStore(plan, 0, folder.path("missing")), {
    tag: "write-failed",
    message: /missing: turning a matrix by column round needs up to 24 bytes .*ENOENT.*tempDir/,
  });
  if (process.platform !== "linux") return t.skip("there is no /dev/full");
  const store = createTurnStore(plan, 0, folder.path("."));
  closeTurnStore(store);
  store.fd = openSync("/dev/full", "r+");
  t.after(() => closeTurnStore(store));
  assert.throws(() => turning.step(store, 0), { tag: "write-failed", message: /ENOSPC/ });
});
