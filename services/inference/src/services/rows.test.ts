import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InferenceError } from "../errors.ts";
import { mapGenes } from "./align-genes.ts";
import { alignRows, decodeRows } from "./rows.ts";

const model = (ids: readonly string[]) => ({ geneIds: ids, columnOf: new Map(ids.map((id, i) => [id, i])) });
const bytes = (array: Uint32Array | Float32Array) => new Uint8Array(array.buffer);

/** A batch as entries per cell, and the genes of query and model drawn from the same few names. */
const cases = fc.record({
  genes: fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f", "x", "y"), { minLength: 1, maxLength: 12 }),
  model: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f"), { minLength: 1 }),
  cells: fc.array(fc.array(fc.tuple(fc.nat(), fc.nat(1000)), { maxLength: 8 }), { maxLength: 6 }),
});

test("aligned rows hold the sum of each gene's entries, and totals all of them", () => {
  fc.assert(
    fc.property(cases, ({ genes, model: ids, cells }) => {
      fc.pre(ids.some((id) => genes.includes(id)));
      const entries = cells.map((row) => row.map(([at, count]) => [at % genes.length, count] as const));
      const indptr = new Uint32Array(cells.length + 1);
      entries.forEach((row, i) => {
        indptr[i + 1] = indptr[i]! + row.length;
      });
      const rows = decodeRows(
        {
          cellIds: cells.map((_, i) => `c${i}`),
          indptr: bytes(indptr),
          indices: bytes(Uint32Array.from(entries.flat(), ([column]) => column)),
          data: bytes(Float32Array.from(entries.flat(), ([, count]) => count)),
          totalCounts: new Uint8Array(),
        },
        genes.length,
      );
      const { columns, overlap } = mapGenes(genes, model(ids));
      assert.equal(overlap.sharedGenes, ids.filter((id) => genes.includes(id)).length);
      const aligned = alignRows(rows, columns, ids.length);
      entries.forEach((row, i) => {
        const expected = ids.map((id) =>
          row.reduce((sum, [column, count]) => (genes[column] === id ? sum + count : sum), 0),
        );
        const found = ids.map(() => 0);
        const seen = new Set<number>();
        for (let at = aligned.rows.indptr[i]!; at < aligned.rows.indptr[i + 1]!; at++) {
          assert.ok(!seen.has(aligned.rows.indices[at]!), "a column comes once");
          seen.add(aligned.rows.indices[at]!);
          found[aligned.rows.indices[at]!] = aligned.rows.data[at]!;
        }
        assert.deepEqual(found, expected);
        assert.equal(
          aligned.totals[i],
          row.reduce((sum, [, count]) => sum + count, 0),
        );
      });
    }),
  );
});

test("arbitrary bytes are decoded or refused, never anything else", () => {
  const any = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(any, any, any, any, fc.nat(4), (indptr, indices, data, totalCounts, cells) => {
      const cellIds = Array.from({ length: cells }, (_, i) => `c${i}`);
      try {
        const rows = decodeRows({ cellIds, indptr, indices, data, totalCounts }, 5);
        assert.equal(rows.indptr[cells], rows.data.length);
        assert.ok(rows.indices.every((gene) => gene < 5));
        assert.ok(rows.data.every((value) => value >= 0 && value < Number.POSITIVE_INFINITY));
      } catch (error) {
        assert.ok(error instanceof InferenceError && error.tag === "invalid-rows", String(error));
        assert.ok(error.violations.length > 0 && error.violations.length <= 20);
      }
    }),
    { numRuns: 500 },
  );
});

test("every cell with a problem is named, up to twenty, and the rest is counted", () => {
  const cells = 30;
  const indptr = Uint32Array.from({ length: cells + 1 }, (_, i) => i);
  assert.throws(
    () =>
      decodeRows(
        {
          cellIds: Array.from({ length: cells }, (_, i) => `cell-${i}`),
          indptr: bytes(indptr),
          indices: bytes(new Uint32Array(cells)),
          data: bytes(new Float32Array(cells).fill(-1)),
          totalCounts: new Uint8Array(),
        },
        1,
      ),
    (error: InferenceError) =>
      error.violations.length === 20 &&
      /"cell-0" \(row 0\).*"cell-19" \(row 19\).*and 10 more/.test(error.message),
  );
});
