import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatRows, takeRows } from "./index.ts";
import { counts, csr, dense } from "./test-fixtures.ts";

test("takeRows picks rows in the order asked for, with repeats", () => {
  const rows = counts(6, 5);
  fc.assert(
    fc.property(fc.array(fc.nat(5)), (order) => {
      const taken = takeRows(csr(rows, 5), Int32Array.from(order));
      assert.deepEqual(
        dense(taken),
        order.map((row) => rows[row]),
      );
    }),
    { seed: 5 },
  );
  assert.throws(() => takeRows(csr(rows, 5), Int32Array.of(6)), { tag: "invalid-argument" });
});

test("concatRows undoes a split, and widens when a part is float64", () => {
  const whole = csr(counts(6, 5), 5);
  const part = (from: number, to: number) =>
    takeRows(
      whole,
      Int32Array.from({ length: to - from }, (_, i) => from + i),
    );
  assert.deepEqual(concatRows([part(0, 2), part(2, 2), part(2, 6)]), whole);
  const wide = { ...part(2, 6), data: Float64Array.from(part(2, 6).data) };
  assert.ok(concatRows([part(0, 2), wide]).data instanceof Float64Array);
  assert.throws(() => concatRows([whole, csr([], 4)]), { tag: "invalid-argument" });
  assert.throws(() => concatRows([]), { tag: "invalid-argument" });
});
