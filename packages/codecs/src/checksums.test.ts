import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { adler32, crc32c, fletcher32 } from "./checksums.ts";

test("the examples of RFC 3720, B.4 (printed there with the lowest byte first)", () => {
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e);
  assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c);
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
});

test("property: in pieces as in one, and as the bit-by-bit definition says", () => {
  const bitwise = (bytes: Uint8Array) => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
    return ~crc >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, cut) => {
      assert.equal(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut))), crc32c(bytes));
      assert.equal(crc32c(bytes), bitwise(bytes));
    }),
  );
});

test("Adler-32 is zlib's, also where its sums are largest", () => {
  const zlibs = (bytes: Uint8Array) => {
    const stored = deflateSync(bytes, { level: 0 });
    return stored.readUInt32BE(stored.length - 4);
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
      assert.equal(adler32(bytes), zlibs(bytes));
    }),
    { numRuns: 100, seed: 8 },
  );
  const full = new Uint8Array(100_000).fill(255);
  assert.equal(adler32(full), zlibs(full));
});

test("property: Fletcher's checksum is that of its definition, with sums modulo 65535", () => {
  const plain = (bytes: Uint8Array) => {
    let [a, b] = [0, 0];
    for (let i = 0; i < bytes.length; i += 2) {
      a = (a + ((bytes[i]! << 8) | (bytes[i + 1] ?? 0))) % 65_535;
      b = (b + a) % 65_535;
    }
    return [a, b];
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
      const sum = fletcher32(bytes);
      // 65535 stands for 0 as well.
      assert.deepEqual([(sum & 0xffff) % 65_535, (sum >>> 16) % 65_535], plain(bytes));
    }),
  );
});
