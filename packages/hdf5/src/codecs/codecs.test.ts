import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { decodeChunk } from "./decode-chunk.ts";
import { encodeChunk, filterSpecs, type Pipeline } from "./encode-chunk.ts";

/** Bytes as chunks hold them: noise, runs, repeated patterns, and mixtures. */
const contents = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.array(fc.tuple(fc.nat(3), fc.nat(700)), { maxLength: 12 }).map((runs) => {
    const parts = runs.map(([value, length]) => new Uint8Array(length).fill(value * 77));
    return new Uint8Array(Buffer.concat(parts));
  }),
  fc
    .tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 400 }))
    .map(([pattern, times]) =>
      Uint8Array.from({ length: pattern.length * times }, (_, i) => pattern[i % pattern.length]!),
    ),
  fc.array(fc.nat(5), { maxLength: 2000 }).map((counts) => new Uint8Array(Float32Array.from(counts).buffer)),
);

const equal = (a: Uint8Array, b: Uint8Array, what: string) => assert.ok(Buffer.compare(a, b) === 0, what);
const encode = (raw: Uint8Array, pipeline: Pipeline) => {
  const { bytes, filterMask } = encodeChunk(raw, pipeline);
  return { stored: bytes.slice(), filterMask };
};
const plain: Pipeline = { shuffle: false, deflateLevel: 0, lzf: false, fletcher32: false, elementBytes: 1 };

test("a stream that says more than a chunk holds is refused", () => {
  const bomb = deflateSync(new Uint8Array(1_000_000));
  assert.throws(() => decodeChunk(bomb, [{ id: 1 }], 1, 1000, 0, "d"), {
    tag: "corrupt",
    message: /more bytes than/,
  });
  assert.throws(() => decodeChunk(Buffer.from("no header here"), [{ id: 1 }], 1, 14, 0, "d"), {
    tag: "corrupt",
    message: /header/,
  });
});

test("every pipeline undoes what it did, for elements of 1 to 16 bytes", () => {
  const pipelines = fc.record({
    shuffle: fc.boolean(),
    deflateLevel: fc.constantFrom(0, 1, 6),
    lzf: fc.boolean(),
    fletcher32: fc.boolean(),
    elementBytes: fc.integer({ min: 1, max: 16 }),
  });
  fc.assert(
    fc.property(contents, pipelines, (raw, some) => {
      const pipeline = { ...some, lzf: some.lzf && some.deflateLevel === 0 };
      const { stored, filterMask } = encode(raw, pipeline);
      const back = decodeChunk(
        stored,
        filterSpecs(pipeline, raw.length),
        pipeline.elementBytes,
        raw.length,
        filterMask,
        "d",
      );
      equal(back, raw, "differs");
    }),
    { numRuns: 500, seed: 4 },
  );
});

test("a chunk whose checksum is wrong is refused", () => {
  const { stored } = encode(Uint8Array.of(1, 2, 3), { ...plain, fletcher32: true });
  stored[0]! ^= 1;
  assert.throws(() => decodeChunk(stored, [{ id: 3 }], 1, 3, 0, "d"), {
    tag: "corrupt",
    message: /Fletcher checksum/,
  });
});
