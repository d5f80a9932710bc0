import assert from "node:assert/strict";
import { test } from "node:test";
import * as zlib from "node:zlib";
import { shuffle } from "@cytomesh/codecs";
import fc from "fast-check";
import { bloscCodec, checksumCodec, lz4Codec } from "./codecs/compress.ts";
import { bytesCodec } from "./codecs/registry.ts";
import { decodeVariable, encodeVariable } from "./codecs/variable.ts";
import { wrapped } from "./read/decode.ts";

test("headers that say more than the chunk can have are refused before memory is taken", () => {
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
  // A container of Blosc 2.
  const container = Uint8Array.of(5, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0);
  assert.throws(() => wrapped("/x", () => bloscCodec.decode(container, 1000)), {
    name: "ZarrError",
    tag: "unsupported",
    message: /version 5/,
  });
});

test("checksums: both places, and a wrong one", () => {
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
      const codec = bytesCodec("shuffle", { elementsize: size }, "/x");
      assert.deepEqual(codec.decode(shuffle(bytes, size), bytes.length), bytes);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom("a", "ä", "€", "𝄞", "\0") })), (values) => {
      assert.deepEqual(decodeVariable(encodeVariable(values), values.length, "strings"), values);
    }),
  );
});

test("bitround, whose configuration names no type, leaves what is stored", () => {
  const bytes = Uint8Array.of(1, 2, 3, 4);
  assert.deepEqual(bytesCodec("bitround", { keepbits: 10 }, "/x").decode(bytes, 4), bytes);
});
