import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { createSpool } from "./spool.ts";

const folder = mkdtempSync(join(tmpdir(), "cytomesh-spool-"));
after(() => rmSync(folder, { recursive: true }));

const entries = fc.integer({ min: 1, max: 12 }).chain((rows) =>
  fc.record({
    rows: fc.constant(rows),
    list: fc.array(
      fc.record({
        row: fc.integer({ min: 0, max: rows - 1 }),
        column: fc.nat(99),
        value: fc.integer({ min: -5, max: 1_000 }),
      }),
      { maxLength: 60 },
    ),
    cut: fc.integer({ min: 1, max: 7 }),
    sorted: fc.boolean(),
  }),
);

test("entries come back grouped by row in the order they came in", () => {
  fc.assert(
    fc.property(entries, ({ rows, list, cut, sorted }) => {
      const given = sorted ? list.toSorted((a, b) => a.row - b.row) : list;
      const spool = createSpool(rows, true, folder);
      for (let at = 0; at < given.length; at += cut) {
        const part = given.slice(at, at + cut);
        spool.append(
          Int32Array.from(part, ({ row }) => row),
          Int32Array.from(part, ({ column }) => column),
          Float64Array.from(part, ({ value }) => value),
          part.length,
        );
      }
      const { indptr, columns, values } = spool.grouped();
      for (let row = 0; row < rows; row++) {
        const [from, to] = [indptr[row] as number, indptr[row + 1] as number];
        const expected = given.filter((entry) => entry.row === row);
        assert.deepEqual(
          [...columns(from, to)],
          expected.map(({ column }) => column),
        );
        assert.deepEqual(
          [...values(from, to)],
          expected.map(({ value }) => value),
        );
      }
      spool.close();
    }),
    { numRuns: 60 },
  );
  assert.deepEqual(readdirSync(folder), [], "closing removes the files");
});

test("more entries than a bucket takes are dealt to several", () => {
  const rows = 700;
  const perBatch = 250_000;
  const spool = createSpool(rows, false, folder);
  const sums = new Float64Array(rows);
  let state = 1;
  const next = (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
  for (let batch = 0; batch < 20; batch++) {
    const place = Int32Array.from({ length: perBatch }, () => next(rows));
    const values = Float64Array.from({ length: perBatch }, () => next(1_000) / 4);
    for (let i = 0; i < perBatch; i++) sums[place[i]!]! += values[i]!;
    spool.append(place, place, values, perBatch);
  }
  const { indptr, columns, values } = spool.grouped();
  assert.equal(indptr[rows], 20 * perBatch);
  for (let row = 0; row < rows; row++) {
    const [from, to] = [indptr[row]!, indptr[row + 1]!];
    assert.ok(columns(from, to).every((column) => column === row));
    let sum = 0;
    for (const value of values(from, to)) sum += value;
    assert.equal(sum, sums[row]);
  }
  spool.close();
  assert.ok(existsSync(folder));
});
