import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { deflate } from "./deflate.ts";
import { shuffle } from "./shuffle.ts";
import { contents, equal } from "./testing/contents.ts";

test("our deflate is read by zlib, whatever the chunk", () => {
  fc.assert(
    fc.property(contents, fc.integer({ min: 1, max: 16 }), (raw, elementBytes) => {
      const shuffled = shuffle(raw, elementBytes);
      equal(inflateSync(deflate(shuffled, elementBytes)), shuffled, "differs");
    }),
    { numRuns: 500, seed: 6 },
  );
  // Every length of a run, and more literals than one block takes.
  for (let length = 1; length < 800; length++) {
    const raw = new Uint8Array(length + 2).fill(7, 1, length + 1);
    equal(inflateSync(deflate(raw)), raw, `run of ${length}`);
  }
  const long = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
  equal(inflateSync(deflate(long)), long, "long");
});

test("codes as skewed as frequencies allow stay within their limit", () => {
  // Fibonacci frequencies give the longest codes.
  const frequencies = Array.from({ length: 22 }, () => 1);
  for (let i = 2; i < frequencies.length; i++) frequencies[i] = frequencies[i - 1]! + frequencies[i - 2]!;
  const symbols = frequencies.flatMap((count, value) => Array.from({ length: count }, () => value));
  // Dealt out so that no runs form.
  const raw = Uint8Array.from(symbols, (_, i) => symbols[(i * 7919) % symbols.length]!);
  equal(inflateSync(deflate(raw)), raw, "differs");
});

test("counts shrink as much as with zlib's run-length strategy, or more", () => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const counts = Float32Array.from({ length: 65_536 }, () => 1 + Math.floor(-Math.log(random()) / 1.2));
  const raw = new Uint8Array(counts.buffer);
  const shuffled = shuffle(raw, 4);
  const zlibs = deflateSync(shuffled, { level: 1, strategy: constants.Z_RLE }).length;
  const ours = deflate(shuffled, 4).length;
  assert.ok(ours <= zlibs, `${ours} bytes, zlib ${zlibs}`);
});
