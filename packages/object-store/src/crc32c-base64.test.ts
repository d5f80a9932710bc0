import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32cBase64 } from "./crc32c-base64.ts";

test("a checksum as GCS writes it: big-endian, in Base64", () => {
  assert.equal(crc32cBase64(0x8a9136aa), "ipE2qg==");
});
