import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { mutate, randomFrom } from "../../../../bench/fuzz/mutate.ts";
import { OmicsStoreError } from "../errors.ts";
import { inTempDir, type TestIngest, writeIngest } from "../test-tables.ts";
import { openMatrixFile } from "./matrix-file.ts";
import { createMatrixMemory } from "./matrix-memory.ts";

const cells = 60;
const ingest: TestIngest = {
  id: "i",
  cellIdStart: 0,
  featureIdStart: 100,
  genes: Array.from({ length: 300 }, (_, i) => `g${i}`),
  schema: [{ name: "kind", type: "string" }],
  countsType: "int32",
  cells: Array.from({ length: cells }, (_, i) => ({
    original: `c${i}`,
    obs: { kind: i % 3 === 0 ? null : `k${i % 5}` },
    entries: Array.from({ length: (i * 7) % 90 }, (_, k): [number, number] => [k * 3 + (i % 3), 1 + (k % 9)]),
  })),
};

const memory = createMatrixMemory();

/** Everything the lists of a file hold, as text. */
function contents(path: string, rows = cells): string {
  const file = openMatrixFile(path, { rows, countsType: "int32" }, memory);
  try {
    return JSON.stringify(
      file.pages.map((page) => {
        const { offsets, ids, counts } = file.decode(page);
        const nnz = offsets.at(-1)!;
        return [[...offsets], [...memory.ints(ids, nnz)], [...memory.ints(counts, nnz)]];
      }),
    );
  } finally {
    file.close();
  }
}

for (const encoding of ["delta", "plain"] as const)
  test(`damaged files with ${encoding} lists give a typed error or what was written`, async () => {
    await inTempDir(async (dir) => {
      await writeIngest(dir, ingest, 1000, { encoding, pageCells: 8, rowGroupBytes: 1500 });
      const path = join(dir, "cells-00000.parquet");
      const original = await readFile(path);
      const expected = contents(path);
      const random = randomFrom(encoding === "delta" ? 1 : 2);
      // Half of the damage goes near the footer and its parts.
      const marks = Array.from({ length: 24 }, (_, i) => Math.max(0, original.length - 64 * (i + 1)));
      let refused = 0;
      for (let i = 0; i < 400; i++) {
        const { bytes, what } = mutate(original, random, { marks });
        await writeFile(path, bytes);
        try {
          assert.equal(contents(path), expected, `mutant ${i} (${what}) was read as something else`);
        } catch (error) {
          if (!(error instanceof OmicsStoreError)) throw error;
          assert.equal(error.tag, "corrupt");
          assert.ok(error.message.startsWith(path), error.message);
          refused++;
        }
      }
      assert.ok(refused > 200, `${refused} of 400 were refused`);
      assert.ok(memory.kernels.memory.buffer.byteLength < 64 * 1024 ** 2, "claims do not take memory");
    });
  });

test("a page whose checksum was made to fit is still checked for what it claims", async () => {
  await inTempDir(async (dir) => {
    await writeIngest(dir, ingest, 1000, { pageCells: 8 });
    const path = join(dir, "cells-00000.parquet");
    const original = await readFile(path);
    const expected = contents(path);
    const file = openMatrixFile(path, { rows: cells, countsType: "int32" }, memory);
    const { offset, bytes } = file.pages[2]!.ids;
    file.close();
    const header = original.subarray(offset, offset + bytes);
    const random = randomFrom(3);
    let refused = 0;
    for (let i = 0; i < 300; i++) {
      const copy = Buffer.from(original);
      const page = copy.subarray(offset, offset + bytes);
      const bodyAt = bodyStart(header);
      const at = bodyAt + Math.floor(random() * (bytes - bodyAt));
      page[at] = Math.floor(random() * 256);
      reseal(page, bodyAt);
      await writeFile(path, copy);
      try {
        contents(path);
      } catch (error) {
        assert.ok(error instanceof OmicsStoreError && error.tag === "corrupt", String(error));
        refused++;
      }
    }
    assert.ok(refused > 20, `${refused} of 300 were refused`);
    await writeFile(path, original);
    assert.equal(contents(path), expected);
  });
});

/** The header ends with the two zero bytes that close the inner and the outer struct; the body begins with a length below 2^16. */
function bodyStart(page: Uint8Array): number {
  for (let at = 8; at < 64; at++) if (page[at] === 0 && page[at - 1] === 0) return at + 1;
  throw new Error("no header");
}

/** Writes the checksum of the body into the header; it nearly always takes five bytes, as the one before did. */
function reseal(page: Uint8Array, bodyAt: number): void {
  const crc = crc32(page.subarray(bodyAt)) | 0;
  let zigzag = ((crc << 1) ^ (crc >> 31)) >>> 0;
  // type, uncompressed and compressed size come first: 0x15 and a varint each.
  let at = 0;
  for (let field = 0; field < 3; field++) {
    at++;
    while (page[at++]! > 127);
  }
  at++;
  let length = 1;
  while (page[at + length - 1]! > 127) length++;
  for (let i = 0; i < length; i++) {
    page[at + i] = (zigzag & 127) | (i < length - 1 ? 128 : 0);
    zigzag >>>= 7;
  }
}

test("files that are no Parquet, or have other rows than the manifest says, are refused", async () => {
  await inTempDir(async (dir) => {
    await writeIngest(dir, ingest, 1000, { pageCells: 8 });
    const path = join(dir, "cells-00000.parquet");
    const refused = (text: RegExp) => (error: unknown) =>
      error instanceof OmicsStoreError && error.tag === "corrupt" && text.test(error.message);
    assert.throws(() => contents(path, cells + 1), refused(/61 rows were expected, found 60/));
    assert.throws(() => contents(path, cells - 1), refused(/rows/));
    assert.throws(() => contents(join(dir, "obs.parquet")), refused(/no column feature_ids/));
    assert.throws(() => contents(join(dir, "manifest.json")), refused(/does not end as a Parquet file/));
    assert.throws(() => contents(join(dir, "nothing.parquet")), refused(/cannot be opened/));
  });
});
