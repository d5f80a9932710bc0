import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHalves, halfToNumber, numberToHalf, toHalves } from "./index.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
const nan = (bits: number) => (bits & 0x7c00) === 0x7c00 && (bits & 1023) !== 0;

test("every half has the value that the engine's own half floats have, and comes back", () => {
  const expected = Array.from(new Float16Array(all.slice().buffer));
  assert.deepEqual(Array.from(fromHalves(all)), expected);
  assert.deepEqual(Array.from(all, halfToNumber), expected);
  assert.deepEqual(
    toHalves(Float32Array.from(expected)),
    all.map((bits) => (nan(bits) ? 0x7e00 : bits)),
  );
});

test("numbers round as the engine rounds them, also between and halfway between halves", () => {
  const round = (value: number) => new Uint16Array(Float16Array.of(value).buffer)[0]!;
  for (const bits of all) {
    const [low, high] = [halfToNumber(bits), halfToNumber(bits + 1)];
    if (!Number.isFinite(low) || !Number.isFinite(high)) continue;
    const middle = (low + high) / 2;
    for (const value of [middle, middle * (1 + 2 ** -52), middle * (1 - 2 ** -52), low * (1 + 2 ** -52)])
      assert.equal(numberToHalf(value), round(value), `${value}`);
  }
  for (const value of [0, -0, Infinity, -Infinity, 65519.99, 65520, -65520, 1e300, 5e-324, 2 ** -25])
    assert.equal(numberToHalf(value), round(value), `${value}`);
  fc.assert(fc.property(fc.double(), (value) => numberToHalf(value) === round(value)));
  fc.assert(fc.property(fc.float(), (value) => numberToHalf(value) === round(value)));
});
