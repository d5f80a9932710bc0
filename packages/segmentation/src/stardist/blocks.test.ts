import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { coverAxis, isResponsible } from "./blocks.ts";

const plan = { blockSize: 512, minOverlap: 64, context: 96 };
const places = (size: number) =>
  coverAxis(size, plan, 16).map(({ start, end, writeStart, writeEnd }) => [start, end, writeStart, writeEnd]);

test("sides are covered by the blocks of predict_instances_big", () => {
  assert.deepEqual(places(512), [[0, 512, 0, 512]]);
  assert.deepEqual(places(600), [
    [0, 512, 0, 416],
    [96, 600, 192, 600],
  ]);
  assert.deepEqual(places(900), [
    [0, 512, 0, 416],
    [192, 704, 288, 608],
    [400, 900, 496, 900],
  ]);
  assert.deepEqual(places(1024), [
    [0, 512, 0, 416],
    [256, 768, 352, 672],
    [512, 1024, 608, 1024],
  ]);
  assert.deepEqual(
    places(2048).map(([start]) => start),
    [0, 256, 512, 768, 1024, 1280, 1536],
  );
  for (const [start, , writeStart, writeEnd] of places(2048).slice(1, -1))
    assert.deepEqual([writeStart, writeEnd], [start! + 96, start! + 416]);
});

test("a side shorter than a block is one block", () => {
  assert.deepEqual(places(1), [[0, 1, 0, 1]]);
  assert.deepEqual(places(500), [[0, 500, 0, 500]]);
});

test("overlap and context must leave something of a block", () => {
  assert.throws(() => coverAxis(2_000, { blockSize: 256, minOverlap: 64, context: 96 }, 16), {
    tag: "invalid_argument",
  });
});

test("exactly one block answers for an object smaller than the overlap", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 100, max: 3_000 }),
      fc.integer({ min: 4, max: 32 }),
      fc.nat(),
      fc.integer({ min: 1, max: 63 }),
      (size, steps, at, length) => {
        const grid = 16;
        const blocks = coverAxis(size, { blockSize: 272 + steps * grid, minOverlap: 64, context: 96 }, grid);
        assert.equal(blocks.at(-1)?.end, size);
        const from = at % Math.max(1, size - length);
        const to = Math.min(size, from + length);
        const answers = blocks.flatMap((block) => {
          const a = Math.max(0, from - block.writeStart);
          const b = Math.min(block.writeEnd, to) - block.writeStart;
          return b > a ? [isResponsible(block, a, b)] : [];
        });
        assert.deepEqual(
          answers.filter((answer) => answer !== false),
          [true],
        );
      },
    ),
  );
});

test("an object larger than the overlap is refused", () => {
  const blocks = coverAxis(600, plan, 16);
  assert.equal(isResponsible(blocks[1]!, 0, 224), "too-large");
  assert.equal(isResponsible(blocks[1]!, 0, 223), false);
  assert.equal(isResponsible(blocks[0]!, 0, 416), "too-large");
  assert.equal(isResponsible(blocks[0]!, 100, 416), false);
  assert.equal(isResponsible(blocks[0]!, 100, 415), true);
});
