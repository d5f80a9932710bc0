import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, deflateRawSync, deflateSync, gzipSync, inflateSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { decoded } from "./arena.ts";
import { CodecError } from "./errors.ts";
import { gunzip, inflate, inflateAt, inflateByKernel, unzstd } from "./inflate.ts";
import { decodeHdf5Lz4, decodeLz4Block, decodeLzf, decodeSnappy } from "./lz.ts";
import { contents, equal } from "./testing/contents.ts";

function kernel(bytes: Uint8Array, maxBytes: number): Uint8Array {
  return decoded(bytes, maxBytes, 0, (arena, from, to) => inflateByKernel(arena, from, to, maxBytes));
}

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
        equal(kernel(stored, raw.length), raw, "differs");
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
        ours = kernel(stored, Math.max(1, raw.length));
      } catch (error) {
        assert.ok(error instanceof CodecError && error.tag === "corrupt", String(error));
      }
      try {
        zlibs = inflateSync(stored, { maxOutputLength: Math.max(1, raw.length) });
      } catch {
        // Zlib finds the damage too.
      }
      if (ours !== undefined) equal(ours, zlibs ?? assert.fail("zlib refuses this"), "differs from zlib");
      else assert.ok(zlibs === undefined, "zlib takes this");
    }),
    { numRuns: 2000, seed: 2 },
  );
});

/** What sound data of a format begins with. */
const headers = new Map<(bytes: Uint8Array, maxBytes: number) => Uint8Array, number[]>([
  [kernel, [0x78, 0x01]],
  [inflate, [0x78, 0x01]],
  [gunzip, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]],
  [decodeSnappy, [100]],
  [decodeHdf5Lz4, [0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 40, 0, 0, 0, 30]],
]);

test("what is no stream at all never gets out of bounds", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(kernel, inflate, gunzip, decodeLzf, decodeLz4Block, decodeSnappy, decodeHdf5Lz4),
      fc.nat(400),
      (noise, decode, size) => {
        // With a sound header, so that the blocks are reached.
        const stored = Uint8Array.of(...(headers.get(decode) ?? []), ...noise);
        try {
          assert.ok(decode(stored, size).length <= size);
        } catch (error) {
          assert.ok(error instanceof CodecError && error.tag === "corrupt", String(error));
        }
      },
    ),
    { numRuns: 5000, seed: 3 },
  );
});

test("a stream that says more than there may be is refused", () => {
  const bomb = deflateSync(new Uint8Array(1_000_000));
  assert.throws(() => kernel(bomb, 1000), { tag: "corrupt", message: /more bytes than a chunk/ });
  assert.throws(() => inflate(bomb, 1000), { tag: "corrupt", message: /more bytes than the 1000/ });
  assert.throws(() => gunzip(gzipSync(new Uint8Array(1_000_000)), 1000), { tag: "corrupt" });
  assert.throws(() => unzstd(zstdCompressSync(new Uint8Array(1_000_000)), 1000), { tag: "corrupt" });
  assert.throws(() => kernel(deflateRawSync(Buffer.from("no header here")), 14), {
    tag: "corrupt",
    message: /no zlib header/,
  });
});

test("large and small, what shrinks well and what does not: the same bytes by either way", () => {
  for (const size of [0, 1, 1000, 20_000, 300_000]) {
    for (const step of [1, 7919]) {
      const raw = Uint8Array.from({ length: size }, (_, i) => (i * step) >> 6);
      const stored = deflateSync(raw, { level: 1 });
      equal(inflate(stored, size), raw, `${size} bytes`);
      equal(gunzip(gzipSync(raw, { level: 1 }), size), raw, `${size} bytes, gzip`);
      equal(
        decoded(stored, size, 0, (arena, from, to) => inflateAt(arena, from, to, size)),
        raw,
        `${size} bytes in an arena`,
      );
    }
  }
});
