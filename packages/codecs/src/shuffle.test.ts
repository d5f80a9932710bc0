import { test } from "node:test";
import fc from "fast-check";
import { shuffle, unshuffle } from "./shuffle.ts";
import { equal } from "./testing/contents.ts";

test("shuffle puts byte k of every element together and leaves the rest at the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), fc.integer({ min: 1, max: 16 }), (raw, size) => {
      const count = Math.floor(raw.length / size);
      const expected = raw.slice();
      for (let k = 0; k < size; k++)
        for (let i = 0; i < count; i++) expected[k * count + i] = raw[i * size + k]!;
      const stored = shuffle(raw, size);
      equal(stored, expected, "differs");
      equal(unshuffle(stored, size), raw, "does not come back");
    }),
    { numRuns: 300, seed: 5 },
  );
});
