import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { decodeBitshuffle } from "./bitshuffle.ts";
import { CodecError } from "./errors.ts";
import { equal } from "./testing/contents.ts";
import { bitShuffled, naiveLz4 } from "./testing/naive-blosc.ts";
import { chunkBytes } from "./testing/repeats.ts";

interface Options {
  elementBytes: number;
  blockElements: number;
  compressor: "none" | "lz4" | "zstd";
}

/** What bitshuffle's filter makes of a chunk, block by block after its description. */
function naive(raw: Uint8Array, { elementBytes, blockElements, compressor }: Options): Uint8Array {
  const parts: Uint8Array[] = [];
  const block = blockElements || Math.max(128, Math.floor(8192 / elementBytes / 8) * 8);
  if (compressor !== "none") {
    const header = Buffer.alloc(12);
    header.writeBigUInt64BE(BigInt(raw.length));
    header.writeUInt32BE(block * elementBytes, 8);
    parts.push(header);
  }
  const whole = Math.floor(raw.length / elementBytes / 8) * 8;
  for (let at = 0; at < whole; at += block) {
    const plain = raw.subarray(at * elementBytes, Math.min(at + block, whole) * elementBytes);
    const mixed = bitShuffled(plain, elementBytes);
    if (compressor === "none") {
      parts.push(mixed);
      continue;
    }
    const packed = compressor === "lz4" ? naiveLz4(mixed) : zstdCompressSync(mixed);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(packed.length);
    parts.push(length, packed);
  }
  parts.push(raw.subarray(whole * elementBytes));
  return new Uint8Array(Buffer.concat(parts));
}

const options = fc.record({
  elementBytes: fc.constantFrom(1, 2, 3, 4, 8, 16),
  blockElements: fc.constantFrom(0, 8, 64, 136),
  compressor: fc.constantFrom("none" as const, "lz4" as const, "zstd" as const),
});

test("property: bits of elements come back, for elements, blocks and compressors of every kind", () => {
  fc.assert(
    fc.property(chunkBytes, options, (raw, one) => {
      equal(decodeBitshuffle(naive(raw, one), raw.length, one), raw, JSON.stringify(one));
    }),
    { numRuns: 40 },
  );
});

test("damage ends in an error or in bytes, never out of bounds", () => {
  const raw = Uint8Array.from({ length: 1401 }, (_, i) => (i * i) % 61);
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(options, flips, fc.nat(), (one, changes, cut) => {
      const stored = naive(raw, one);
      for (const [at, value] of changes) stored[at % stored.length] = value;
      const part = cut % 3 === 0 ? stored.subarray(0, cut % stored.length) : stored;
      try {
        assert.ok(decodeBitshuffle(part, raw.length, one).length <= raw.length);
      } catch (error) {
        assert.ok(error instanceof CodecError && error.tag === "corrupt", String(error));
      }
    }),
    { numRuns: 150 },
  );
});

test("sizes that cannot be are refused before memory is taken", () => {
  const one = { elementBytes: 4, blockElements: 0, compressor: "lz4" } as const;
  const stored = naive(new Uint8Array(400), one);
  const huge = stored.slice().fill(255, 0, 8);
  assert.throws(() => decodeBitshuffle(huge, 400, one), { tag: "corrupt", message: /at most 400 expected/ });
  const odd = stored.slice();
  new DataView(odd.buffer).setUint32(8, 4 * 12);
  assert.throws(() => decodeBitshuffle(odd, 400, one), { tag: "corrupt", message: /multiple of 8/ });
  assert.throws(() => decodeBitshuffle(stored, 400, { ...one, elementBytes: 0 }), { tag: "corrupt" });
});
