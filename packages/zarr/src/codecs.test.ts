import assert from "node:assert/strict";
import { test } from "node:test";
import * as zlib from "node:zlib";
import fc from "fast-check";
import { bloscCodec } from "./codecs/blosc.ts";
import { checksumCodec, lz4Codec } from "./codecs/compress.ts";
import { bytesCodec } from "./codecs/registry.ts";
import { decodeVariable, encodeVariable } from "./codecs/variable.ts";
import { crc32c, decodeLz4Block, shuffleBytes } from "./kernels.ts";
import { naiveBlosc, naiveBlosclz, naiveLz4 } from "./testing/naive-blosc.ts";

/** Bytes with runs and repeats, as chunks have them. */
const chunkBytes = fc
  .tuple(
    fc.array(fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 40 })), {
      maxLength: 12,
    }),
    fc.nat(3),
  )
  .map(([runs, more]) => {
    const bytes = runs.flatMap(([pattern, count]) =>
      Array.from({ length: count }, () => [...pattern]).flat(),
    );
    return Uint8Array.from([...bytes, ...bytes.slice(0, more)]);
  });

test("LZ4 blocks decode to what was encoded", () => {
  fc.assert(
    fc.property(chunkBytes, (bytes) => {
      assert.deepEqual(decodeLz4Block(naiveLz4(bytes), bytes.length), bytes);
    }),
    { numRuns: 100 },
  );
});

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
        assert.deepEqual(bloscCodec.decode(container, bytes.length), bytes);
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
  assert.deepEqual(bloscCodec.decode(container, bytes.length), bytes);
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
            assert.ok(bloscCodec.decode(damaged, bytes.length).length <= bytes.length);
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

test("headers that say more than the chunk can have are refused before memory is taken", () => {
  const container = naiveBlosc(new Uint8Array(100), {
    codec: "lz4",
    shuffle: "none",
    typeBytes: 1,
    blockBytes: 100,
  });
  new DataView(container.buffer).setUint32(4, 0xfffffff0, true);
  assert.throws(() => bloscCodec.decode(container, 100), /at most 100 expected/);
  const lz4 = Uint8Array.from([0xff, 0xff, 0xff, 0x7f, 0]);
  assert.throws(() => lz4Codec.decode(lz4, 100), /at most 100 expected/);
  const bomb = new Uint8Array(zlib.gzipSync(new Uint8Array(10_000_000)));
  assert.throws(() => bytesCodec("gzip", {}, "x").decode(bomb, 1000));
  assert.throws(() =>
    bytesCodec("zstd", {}, "x").decode(
      new Uint8Array(zlib.zstdCompressSync(new Uint8Array(10_000_000))),
      1000,
    ),
  );
});

test("codecs that are not known are refused by name", () => {
  for (const name of ["bz2", "lzma", "pickle", "json2"]) {
    assert.throws(() => bytesCodec(name, {}, "/x"), { tag: "unsupported", message: new RegExp(name) });
  }
  const snappy = naiveBlosc(new Uint8Array(1000), {
    codec: "zlib",
    shuffle: "none",
    typeBytes: 1,
    blockBytes: 1000,
  });
  snappy[2] = (snappy[2]! & 0x1f) | (2 << 5);
  assert.throws(() => bloscCodec.decode(snappy, 1000), { tag: "unsupported", message: /snappy/ });
});

test("checksums: known values, both places, and a wrong one", () => {
  // RFC 3720, B.4.
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new TextEncoder().encode("123456789")), 0xe3069283);
  fc.assert(
    fc.property(
      fc.uint8Array(),
      fc.constantFrom("crc32" as const, "adler32" as const, "crc32c" as const),
      fc.constantFrom("start" as const, "end" as const),
      (bytes, kind, at) => {
        const codec = checksumCodec(kind, at);
        const packed = codec.encode!(bytes);
        assert.deepEqual(codec.decode(packed, bytes.length), bytes);
        packed[0]! ^= 1;
        assert.throws(() => codec.decode(packed, bytes.length), /stored|checksum/);
      },
    ),
  );
});

test("shuffle there and back; strings of variable length there and back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 20 }), (bytes, size) => {
      assert.deepEqual(shuffleBytes(shuffleBytes(bytes, size, false), size, true), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "ä", "€", "𝄞", "\0") })), (values) => {
      assert.deepEqual(decodeVariable(encodeVariable(values), values.length, "strings"), values);
    }),
  );
});
