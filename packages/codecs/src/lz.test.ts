import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeHdf5Lz4, decodeLz4Block, decodeLzf, decodeSnappy, encodeLzf } from "./lz.ts";
import { contents, equal } from "./testing/contents.ts";
import { naiveLz4 } from "./testing/naive-blosc.ts";
import { chunkBytes } from "./testing/repeats.ts";

test("LZ4 blocks decode to what was encoded", () => {
  fc.assert(
    fc.property(chunkBytes, (bytes) => {
      assert.deepEqual(decodeLz4Block(naiveLz4(bytes), bytes.length), bytes);
    }),
    { numRuns: 100 },
  );
});

test("LZF follows its format", () => {
  const decode = (...bytes: number[]) => [...decodeLzf(Uint8Array.from(bytes), 6)];
  // One literal, then a reference of length 5 to distance 1: a run.
  assert.deepEqual(decode(0, 9, (3 << 5) | 0, 0), [9, 9, 9, 9, 9, 9]);
  assert.deepEqual(decode(0, 9), [9]);
  assert.throws(() => decode(0, 9, (3 << 5) | 0, 1), { tag: "corrupt", message: /reference out of bounds/ });
});

test("property: LZF there and back, or nothing where it would not shrink", () => {
  fc.assert(
    fc.property(contents, (raw) => {
      const stored = encodeLzf(raw);
      if (stored === undefined) return;
      assert.ok(stored.length < raw.length);
      equal(decodeLzf(stored, raw.length), raw, "differs");
    }),
    { numRuns: 200 },
  );
});

test("Snappy follows its format", () => {
  const decode = (...bytes: number[]) => [...decodeSnappy(Uint8Array.from(bytes), 70)];
  // A literal of 3, then copies with offsets of 1, 2 and 4 bytes.
  const abc = [1, 2, 3];
  assert.deepEqual(decode(7, 2 << 2, ...abc, 1, 3), [1, 2, 3, 1, 2, 3, 1]);
  assert.deepEqual(decode(8, 2 << 2, ...abc, (4 << 2) | 2, 2, 0), [1, 2, 3, 2, 3, 2, 3, 2]);
  assert.deepEqual(decode(4, 2 << 2, ...abc, 3, 1, 0, 0, 0), [1, 2, 3, 3]);
  // Lengths of literals from 61 on stand in bytes of their own.
  const long = Array.from({ length: 66 }, (_, i) => i);
  assert.deepEqual(decode(66, 60 << 2, 65, ...long), long);
  assert.throws(() => decode(7, 2 << 2, ...abc), { tag: "corrupt" });
  assert.throws(() => decode(7, 2 << 2, ...abc, 1, 4), { tag: "corrupt" });
  assert.throws(() => decode(71, 2 << 2, ...abc), { tag: "corrupt" });
  assert.throws(() => decode(4, 63 << 2, 255, 255, 255, 255, ...abc), { tag: "corrupt" });
});

/** The framing of HDF5's filter as its description has it, blocks that do not shrink stored as they are. */
function framed(raw: Uint8Array, blockBytes: number): Uint8Array {
  const header = Buffer.alloc(12);
  header.writeBigUInt64BE(BigInt(raw.length));
  header.writeUInt32BE(blockBytes, 8);
  const parts: Uint8Array[] = [header];
  for (let at = 0; at < raw.length; at += blockBytes) {
    const plain = raw.subarray(at, at + blockBytes);
    const packed = naiveLz4(plain);
    const length = Buffer.alloc(4);
    const stored = packed.length < plain.length ? packed : plain;
    length.writeUInt32BE(stored.length);
    parts.push(length, stored);
  }
  return new Uint8Array(Buffer.concat(parts));
}

test("property: LZ4 in the framing of HDF5, blocks of any size; cut short it is refused", () => {
  fc.assert(
    fc.property(chunkBytes, fc.integer({ min: 1, max: 3000 }), fc.nat(), (raw, blockBytes, cut) => {
      const stored = framed(raw, blockBytes);
      equal(decodeHdf5Lz4(stored, raw.length), raw, "differs");
      const short = stored.subarray(0, cut % stored.length);
      assert.throws(() => decodeHdf5Lz4(short, raw.length), { tag: "corrupt" });
    }),
    { numRuns: 100 },
  );
  const huge = framed(new Uint8Array(100), 50);
  huge.fill(255, 0, 8);
  assert.throws(() => decodeHdf5Lz4(huge, 100), { tag: "corrupt", message: /at most 100 expected/ });
  const still = framed(new Uint8Array(100), 50);
  still.fill(0, 8, 12);
  assert.throws(() => decodeHdf5Lz4(still, 100), { tag: "corrupt", message: /blocks of 0 bytes/ });
});
