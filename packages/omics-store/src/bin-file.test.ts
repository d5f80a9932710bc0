import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { writeH5ad } from "@cytomesh/anndata";
import { binFileName, openBin, parseBinsManifest, totalCountsColumn } from "./bin-file.ts";
import { OmicsStoreError, type OmicsStoreErrorTag } from "./errors.ts";
import { hashFile } from "./files.ts";
import { inTempDir } from "./test-tables.ts";
import type { ObsColumn } from "./types.ts";

const tagged = (tag: OmicsStoreErrorTag, text: RegExp) => (error: unknown) =>
  error instanceof OmicsStoreError && error.tag === tag && text.test(error.message);

const rows = {
  nRows: 3,
  nCols: 2,
  indptr: Float64Array.of(0, 1, 1, 3),
  indices: Int32Array.of(1, 0, 1),
  data: Float32Array.of(4, 2, 9),
};
const totals: ObsColumn = { kind: "number", dtype: "float64", values: Float64Array.of(5, 0, 30) };

async function writeBin(path: string, index: string[], columns: Record<string, ObsColumn>): Promise<string> {
  await writeH5ad(path, { x: rows, obs: { index, columns }, var: { index: ["a", "b"], columns: {} } });
  return (await hashFile(path)).sha256;
}

test("a bin gives its ids, totals and rows, whatever the batches", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, binFileName(7));
    assert.match(path, /extract_7\.h5ad$/);
    const sha256 = await writeBin(path, ["12", "0", "9007199254740991"], { [totalCountsColumn]: totals });
    using bin = await openBin(path, sha256);
    assert.deepEqual([bin.cells, bin.features], [3, 2]);
    assert.deepEqual([...bin.cellIds], [12, 0, Number.MAX_SAFE_INTEGER]);
    assert.deepEqual([...bin.totals], [5, 0, 30]);
    for (const size of [1, 2, 100]) {
      const read = [...bin.batches(size)];
      assert.deepEqual(
        read.map(({ start }) => start),
        Array.from({ length: Math.ceil(3 / size) }, (_, i) => i * size),
      );
      assert.deepEqual(
        read.flatMap(({ rows: one }) => [...one.data]),
        [4, 2, 9],
      );
    }
  });
});

test("a bin that is not what extraction wrote is refused", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "bin.h5ad");
    const good = { [totalCountsColumn]: totals };
    await writeBin(path, ["1", "2", "3"], good);
    await assert.rejects(openBin(path, "0".repeat(64)), tagged("corrupt", /its manifest says 0000/));
    for (const index of [
      ["1", "2", "x"],
      ["1", "2", "1.5"],
      ["1", "2", ""],
      ["1", "2", "9007199254740993"],
    ])
      await assert.rejects(
        openBin(path, await writeBin(path, index, good)),
        tagged("corrupt", /something else than cell ids/),
        JSON.stringify(index),
      );
    const holes: ObsColumn = { kind: "number", dtype: "float64", values: Float64Array.of(1, Number.NaN, 2) };
    const text: ObsColumn = { kind: "string", values: ["1", "2", "3"] };
    const wrong: Record<string, ObsColumn>[] = [{}, { [totalCountsColumn]: text }];
    for (const columns of wrong)
      await assert.rejects(
        openBin(path, await writeBin(path, ["1", "2", "3"], columns)),
        tagged("corrupt", /lacks X or numeric/),
      );
    await assert.rejects(
      openBin(path, await writeBin(path, ["1", "2", "3"], { [totalCountsColumn]: holes })),
      tagged("corrupt", /not finite/),
    );
    await assert.rejects(openBin(path, "", AbortSignal.abort(new Error("enough"))), /enough/);
  });
});

test("a file is hashed as it lies on the disk", async () => {
  await inTempDir(async (dir) => {
    const path = join(dir, "file");
    await writeFile(path, Buffer.alloc(200_000, "cell"));
    const expected = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
    assert.deepEqual(await hashFile(path), { sha256: expected, bytes: 200_000 });
  });
});

test("a manifest of bins is parsed, or refused with its place", () => {
  const manifest = {
    version: 1,
    curriculum: "c",
    curriculumManifestSha256: "a",
    cells: 1,
    bins: [{ bin: 0, file: "extract_0.h5ad", cells: 1, nnz: 2, bytes: 3, sha256: "b" }],
  };
  assert.deepEqual(parseBinsManifest(manifest, "here"), manifest);
  for (const wrong of [
    { ...manifest, version: 2 },
    { ...manifest, cells: -1 },
    null,
    { ...manifest, bins: {} },
  ])
    assert.throws(
      () => parseBinsManifest(wrong, "gs://b/manifest.json"),
      tagged("corrupt", /^gs:\/\/b\/manifest/),
    );
});
