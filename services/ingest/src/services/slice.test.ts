import assert from "node:assert/strict";
import { test } from "node:test";
import type { Matrix, TurnPlan } from "@cytomesh/anndata";
import { turnedSlices, turnOf } from "./slice.ts";

const pageCells = 256;

/** What `planTurn` is given for a matrix of this size, and what comes of it. */
function asked(nnz: number) {
  let limits: unknown;
  const turning = { plan: (how: unknown) => (limits = how) } as unknown as NonNullable<Matrix["turning"]>;
  turnOf({ nnz, turning } as Matrix, pageCells);
  return limits as { stepEntries: number };
}

const plan = (nRows: number, nnz: number, shift: number): TurnPlan => ({
  nRows,
  nnz,
  wide: false,
  stepEntries: 1,
  steps: 1,
  shift,
  buckets: Math.ceil(nRows / 2 ** shift),
});

test("slices of a matrix that is turned round cover it, hold whole pages and stay inside their buckets", () => {
  for (const [nRows, perRow, shift] of [
    [50_000, 2_000, 9],
    // More buckets than there may be: slices are parts of them.
    [10_000_000, 2_000, 13],
    [3, 1, 13],
    [20_000, 30_000, 8],
    [20_000, 0, 13],
  ] as const) {
    const slices = turnedSlices(plan(nRows, nRows * perRow, shift), pageCells);
    let at = 0;
    for (const { from, to } of slices) {
      assert.equal(from, at);
      assert.ok(to > from);
      assert.equal(from % pageCells, 0);
      assert.equal(from >>> shift, (to - 1) >>> shift);
      assert.ok((to - from) * perRow <= Math.max(1_200_000, pageCells * perRow));
      at = to;
    }
    assert.equal(at, nRows);
  }
});

test("steps grow with the matrix, so that the places of their pieces stay few, up to what a thread may hold", () => {
  assert.equal(asked(1e8).stepEntries, 2 ** 20);
  assert.equal(asked(1e10).stepEntries, Math.ceil(1e10 / 4_096));
  assert.equal(asked(1e12).stepEntries, 2 ** 22);
});
