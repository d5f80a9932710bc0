import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeBlosc } from "./blosc.ts";
import { naiveBlosc, naiveBlosclz } from "./testing/naive-blosc.ts";
import { chunkBytes } from "./testing/repeats.ts";

test("blosc containers decode to what was encoded: codecs, shuffles, block sizes, splits", () => {
  fc.assert(
    fc.property(
      chunkBytes,
      fc.record({
        codec: fc.constantFrom("blosclz" as const, "lz4" as const, "zlib" as const, "zstd" as const),
        shuffle: fc.constantFrom("none" as const, "bytes" as const, "bits" as const),
        typeBytes: fc.constantFrom(1, 2, 3, 4, 8, 16, 17),
        blockBytes: fc.constantFrom(64, 256, 512, 1024, 4096),
        whole: fc.boolean(),
        copied: fc.boolean(),
      }),
      (bytes, options) => {
        const container = naiveBlosc(bytes, options);
        assert.deepEqual(decodeBlosc(container, bytes.length), bytes);
      },
    ),
    { numRuns: 200 },
  );
});

test("blosclz alone, with matches far and long", () => {
  const bytes = new Uint8Array(2000).map((_, i) => (i % 700 < 300 ? i % 7 : i % 251));
  const container = naiveBlosc(bytes, {
    codec: "blosclz",
    shuffle: "none",
    typeBytes: 1,
    blockBytes: 2000,
    whole: true,
  });
  assert.ok(naiveBlosclz(bytes).length < bytes.length);
  assert.deepEqual(decodeBlosc(container, bytes.length), bytes);
});

test("damaged containers end in an error, never in memory that is not theirs", () => {
  const bytes = new Uint8Array(3000).map((_, i) => (i * i) % 61);
  for (const codec of ["blosclz", "lz4"] as const) {
    const container = naiveBlosc(bytes, { codec, shuffle: "bits", typeBytes: 4, blockBytes: 1024 });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(container.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (flips) => {
          const damaged = container.slice();
          for (const [at, value] of flips) damaged[at] = value;
          try {
            assert.ok(decodeBlosc(damaged, bytes.length).length <= bytes.length);
          } catch (error) {
            assert.ok(
              error instanceof Error &&
                error.message.length > 10 &&
                !(error instanceof assert.AssertionError),
            );
          }
        },
      ),
      { numRuns: 300 },
    );
  }
});

test("headers that say more than there may be are refused before memory is taken", () => {
  const options = { codec: "lz4", shuffle: "none", typeBytes: 1, blockBytes: 100 } as const;
  const container = naiveBlosc(new Uint8Array(100), options);
  new DataView(container.buffer).setUint32(4, 0xfffffff0, true);
  assert.throws(() => decodeBlosc(container, 100), { tag: "corrupt", message: /at most 100 expected/ });
});

test("a container of Blosc 2 is refused by name", () => {
  const options = { codec: "zlib", shuffle: "none", typeBytes: 1, blockBytes: 1000 } as const;
  const container = naiveBlosc(new Uint8Array(1000), options);
  container[0] = 5;
  assert.throws(() => decodeBlosc(container, 1000), { tag: "unsupported", message: /version 5/ });
});

test("the result goes where it is asked to go when it has that length", () => {
  const raw = new Uint8Array(700).map((_, i) => i % 11);
  const container = naiveBlosc(raw, { codec: "lz4", shuffle: "bytes", typeBytes: 2, blockBytes: 256 });
  const into = new Uint8Array(700);
  assert.equal(decodeBlosc(container, 700, into), into);
  assert.deepEqual(into, raw);
});
