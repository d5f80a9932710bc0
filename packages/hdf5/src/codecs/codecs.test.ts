import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, deflateSync, inflateSync } from "node:zlib";
import fc from "fast-check";
import { Hdf5Error } from "../errors.ts";
import { reserve } from "./arena.ts";
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

test("what zlib deflates, with any level and strategy, is inflated as zlib does", () => {
  const strategies = [
    constants.Z_DEFAULT_STRATEGY,
    constants.Z_RLE,
    constants.Z_HUFFMAN_ONLY,
    constants.Z_FIXED,
  ];
  fc.assert(
    fc.property(
      contents,
      fc.nat(9),
      fc.constantFrom(...strategies),
      fc.integer({ min: 9, max: 15 }),
      (raw, level, strategy, windowBits) => {
        const stored = deflateSync(raw, { level, strategy, windowBits });
        equal(decodeChunk(stored, [{ id: 1 }], 1, raw.length, 0, "d"), raw, "differs");
      },
    ),
    { numRuns: 300, seed: 1 },
  );
});

test("a damaged stream is an error or, where zlib takes it too, the same bytes", () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    bits: fc.integer({ min: 1, max: 255 }),
    cut: fc.boolean(),
  });
  fc.assert(
    fc.property(contents, fc.nat(9), change, (raw, level, { at, bits, cut }) => {
      let stored: Uint8Array = deflateSync(raw, { level });
      const place = Math.floor(at * (stored.length - 1));
      if (cut) stored = stored.subarray(0, place);
      else stored[place]! ^= bits;
      let ours: Uint8Array | undefined;
      let zlibs: Uint8Array | undefined;
      try {
        ours = decodeChunk(stored, [{ id: 1 }], 1, raw.length, 0, "d");
      } catch (error) {
        assert.ok(error instanceof Hdf5Error && error.tag === "corrupt", String(error));
      }
      try {
        zlibs = inflateSync(stored, { maxOutputLength: Math.max(1, raw.length) });
      } catch {
        // Zlib finds the damage too.
      }
      // What zlib takes may have another length than the chunk; then ours refuses it.
      if (ours !== undefined) equal(ours, zlibs ?? assert.fail("zlib refuses this"), "differs from zlib");
      else assert.ok(zlibs === undefined || zlibs.length !== raw.length, "zlib takes this");
    }),
    { numRuns: 2000, seed: 2 },
  );
});

test("what is no stream at all never gets out of bounds", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(1, 32000),
      fc.nat(400),
      (noise, id, size) => {
        // With a sound header, so that the blocks are reached.
        const stored = id === 1 ? Uint8Array.of(0x78, 0x01, ...noise) : noise;
        try {
          assert.equal(decodeChunk(stored, [{ id }], 1, size, 0, "d").length, size);
        } catch (error) {
          assert.ok(error instanceof Hdf5Error && error.tag === "corrupt", String(error));
        }
      },
    ),
    { numRuns: 3000, seed: 3 },
  );
});

test("a stream that says more than a chunk holds is refused", () => {
  const bomb = deflateSync(new Uint8Array(1_000_000));
  assert.throws(() => decodeChunk(bomb, [{ id: 1 }], 1, 1000, 0, "d"), {
    tag: "corrupt",
    message: /more bytes than a chunk/,
  });
  assert.throws(
    () => decodeChunk(deflateRawSync(Buffer.from("no header here")), [{ id: 1 }], 1, 14, 0, "d"),
    {
      tag: "corrupt",
      message: /no zlib header/,
    },
  );
});

test("LZF follows its format", () => {
  const decode = (...bytes: number[]) => [
    ...decodeChunk(Uint8Array.from(bytes), [{ id: 32000 }], 1, 6, 0, "d"),
  ];
  // One literal, then a reference of length 5 to distance 1: a run.
  assert.deepEqual(decode(0, 9, (3 << 5) | 0, 0), [9, 9, 9, 9, 9, 9]);
  assert.throws(() => decode(0, 9), { tag: "corrupt", message: /holds 1 bytes/ });
  assert.throws(() => decode(0, 9, (3 << 5) | 0, 1), { tag: "corrupt", message: /reference out of bounds/ });
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

test("shuffle puts byte k of every element together and leaves the rest at the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), fc.integer({ min: 1, max: 16 }), (raw, size) => {
      const count = Math.floor(raw.length / size);
      const expected = raw.slice();
      for (let k = 0; k < size; k++)
        for (let i = 0; i < count; i++) expected[k * count + i] = raw[i * size + k]!;
      const { stored } = encode(raw, { ...plain, shuffle: true, elementBytes: size });
      equal(stored, expected, "differs");
    }),
    { numRuns: 300, seed: 5 },
  );
});

test("our deflate is read by zlib, whatever the chunk", () => {
  fc.assert(
    fc.property(contents, fc.integer({ min: 1, max: 16 }), (raw, elementBytes) => {
      const shuffled = encode(raw, { ...plain, shuffle: true, elementBytes }).stored;
      const { stored } = encode(raw, { ...plain, shuffle: true, elementBytes, deflateLevel: 1 });
      equal(inflateSync(stored), shuffled, "differs");
    }),
    { numRuns: 500, seed: 6 },
  );
  // Every length of a run, and more literals than one block takes.
  for (let length = 1; length < 800; length++) {
    const raw = new Uint8Array(length + 2).fill(7, 1, length + 1);
    equal(inflateSync(encode(raw, { ...plain, deflateLevel: 1 }).stored), raw, `run of ${length}`);
  }
  const long = Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 7);
  equal(inflateSync(encode(long, { ...plain, deflateLevel: 1 }).stored), long, "long");
});

test("codes as skewed as frequencies allow stay within their limit", () => {
  // Fibonacci frequencies give the longest codes.
  const frequencies = Array.from({ length: 22 }, () => 1);
  for (let i = 2; i < frequencies.length; i++) frequencies[i] = frequencies[i - 1]! + frequencies[i - 2]!;
  const symbols = frequencies.flatMap((count, value) => Array.from({ length: count }, () => value));
  // Dealt out so that no runs form.
  const raw = Uint8Array.from(symbols, (_, i) => symbols[(i * 7919) % symbols.length]!);
  equal(inflateSync(encode(raw, { ...plain, deflateLevel: 1 }).stored), raw, "differs");
});

test("counts shrink as much as with zlib's run-length strategy, or more", () => {
  let state = 1;
  const random = () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const counts = Float32Array.from({ length: 65_536 }, () => 1 + Math.floor(-Math.log(random()) / 1.2));
  const raw = new Uint8Array(counts.buffer);
  const shuffled = encode(raw, { ...plain, shuffle: true, elementBytes: 4 }).stored;
  const zlibs = deflateSync(shuffled, { level: 1, strategy: constants.Z_RLE }).length;
  const ours = encode(raw, { ...plain, shuffle: true, elementBytes: 4, deflateLevel: 1 }).stored.length;
  assert.ok(ours <= zlibs, `${ours} bytes, zlib ${zlibs}`);
});

test("checksums are zlib's and HDF5's", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), (raw) => {
      const arena = reserve(raw.length, raw.length);
      arena.bytes.set(raw, arena.input);
      assert.equal(
        arena.codecs.adler32(arena.input, raw.length) >>> 0,
        deflateSync(raw, { level: 0 }).readUInt32BE(deflateSync(raw, { level: 0 }).length - 4),
      );
    }),
    { numRuns: 100, seed: 8 },
  );
  const full = new Uint8Array(100_000).fill(255);
  const arena = reserve(full.length, full.length);
  arena.bytes.set(full, arena.input);
  assert.equal(
    arena.codecs.adler32(arena.input, full.length) >>> 0,
    deflateSync(full).readUInt32BE(deflateSync(full).length - 4),
  );
  // A chunk whose checksum is wrong is refused.
  const { stored } = encode(Uint8Array.of(1, 2, 3), { ...plain, fletcher32: true });
  stored[0]! ^= 1;
  assert.throws(() => decodeChunk(stored, [{ id: 3 }], 1, 3, 0, "d"), {
    tag: "corrupt",
    message: /Fletcher checksum/,
  });
});
