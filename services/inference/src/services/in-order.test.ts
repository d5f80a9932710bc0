import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { inOrder } from "./in-order.ts";

async function* numbers(count: number, failAt = -1) {
  for (let i = 0; i < count; i++) {
    if (i === failAt) throw new Error(`source failed at ${i}`);
    yield i;
  }
}

test("results come in order, with at most the limit under way", async () => {
  let underWay = 0;
  let most = 0;
  const results: number[] = [];
  const work = async (i: number) => {
    most = Math.max(most, ++underWay);
    // Later items are quicker.
    for (let left = 12 - i; left > 0; left--) await turn();
    return i;
  };
  for await (const one of inOrder(numbers(10), 2, work)) {
    results.push(one);
    await turn();
    underWay -= 1;
  }
  assert.deepEqual(results, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(most, 2);
});

test("failures of work and source come at their place", async () => {
  const until = async (source: AsyncIterator<number>, failAt: number) => {
    const seen: number[] = [];
    try {
      for await (const one of inOrder(source, 2, async (i) => {
        if (i === failAt) throw new Error(`work failed at ${i}`);
        return i;
      }))
        seen.push(one);
    } catch (error) {
      return [...seen, (error as Error).message];
    }
    return seen;
  };
  assert.deepEqual(await until(numbers(6), 3), [0, 1, 2, "work failed at 3"]);
  assert.deepEqual(await until(numbers(6, 4), -1), [0, 1, 2, 3, "source failed at 4"]);
  assert.deepEqual(await until(numbers(0), -1), []);
});

test("nothing more is begun once the consumer has left", async () => {
  let begun = 0;
  for await (const _ of inOrder(numbers(100), 2, async () => ++begun)) break;
  for (let i = 0; i < 10; i++) await turn();
  assert.ok(begun <= 2);
});
