import assert from "node:assert/strict";
import { test } from "node:test";
import { byteBlocks } from "./byte-blocks.ts";

const bytes = (length: number, first: number) => Uint8Array.from({ length }, (_, i) => (first + i * 7) & 255);

test("what was appended comes back in order, also across blocks and after it was forgotten once", () => {
  const blocks = byteBlocks();
  assert.deepEqual(blocks.parts(), []);
  for (const lengths of [[3, 1_048_570, 2_500_000, 0, 9], [1_048_576], [10]]) {
    const appended = lengths.map(bytes);
    for (const each of appended) blocks.append(each);
    const expected = Buffer.concat(appended);
    assert.equal(blocks.length, expected.length);
    assert.equal(Buffer.concat(blocks.parts()).equals(expected), true);
    blocks.clear();
    assert.equal(blocks.length, 0);
  }
});
