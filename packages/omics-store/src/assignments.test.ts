import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { readAssignments, readIngestFeatures } from "./assignments.ts";
import { OmicsStoreError } from "./errors.ts";
import { extractBins } from "./extract.ts";
import { prepareCurriculum } from "./prepare.ts";
import { inTempDir, type TestIngest, valueAt, writeIngest } from "./test-tables.ts";

const ingest: TestIngest = {
  id: "one",
  cellIdStart: 2 ** 40,
  featureIdStart: 5,
  genes: ["g2", "g1", "g1"],
  countsType: "int32",
  schema: [
    { name: "kind", type: "string" },
    { name: "constructor", type: "string" },
    { name: "age", type: "int" },
    { name: "score", type: "float" },
    { name: "ok", type: "bool" },
  ],
  cells: Array.from({ length: 23 }, (_, i) => ({
    original: `cell ${i}`,
    obs: {
      kind: i % 3 === 0 ? null : `kind ${i % 3}`,
      constructor: `value ${i}`,
      age: i % 4 === 0 ? null : i,
      score: i % 5 === 0 ? null : i / 4,
      ok: i % 7 === 0 ? null : i % 2 === 0,
    },
    entries: [[i % 3, i + 1]] as [number, number][],
  })),
};
const columns = ["ok", "constructor", "kind", "score", "age"];

test("assignments are the cells of the bins in their order, with the same columns", async () => {
  await inTempDir(async (dir) => {
    const ingestDir = join(dir, "ingest");
    const curriculumDir = join(dir, "curriculum");
    await writeIngest(ingestDir, ingest);
    const request = { filters: {}, features: ["g1"], binSize: 4, seed: 9, obsColumns: columns };
    const { bins } = await prepareCurriculum({
      ingestDirs: [ingestDir],
      outDir: curriculumDir,
      request: { ...request, categoryLimit: 5 },
    });
    const expected: Record<string, unknown[]> = Object.fromEntries([
      ["id", []],
      ...columns.map((c) => [c, []]),
    ]);
    await extractBins({
      ingestDirs: [ingestDir],
      curriculumDir,
      bins: bins.map((bin) => bin.bin),
      async onBin(bin) {
        for (const [row, id] of bin.cellIds.entries()) {
          expected.id?.push(id);
          for (const name of columns) expected[name]?.push(valueAt(bin.obs[name]!, row));
        }
      },
    });
    const read = await readAssignments(curriculumDir, { columns });
    assert.deepEqual([...read.cellIds], expected.id);
    for (const name of columns)
      assert.deepEqual(
        expected[name]?.map((_, row) => valueAt(read.columns[name]!, row)),
        expected[name],
        name,
      );
    const kinds = columns.map((name) => read.columns[name]?.kind);
    assert.deepEqual(kinds, ["boolean", "string", "categorical", "number", "number"]);
    assert.deepEqual(Object.keys((await readAssignments(curriculumDir, { columns: ["age"] })).columns), [
      "age",
    ]);
    await assert.rejects(
      readAssignments(curriculumDir, { columns: ["nope"] }),
      (error) => error instanceof OmicsStoreError && error.tag === "unknown_column",
    );
    await assert.rejects(
      readAssignments(curriculumDir, { columns, signal: AbortSignal.abort() }),
      (error) => error instanceof OmicsStoreError && error.tag === "cancelled",
    );
  });
});

test("feature ids of an ingest come in the order of its file, repeats included", async () => {
  await inTempDir(async (dir) => {
    await writeIngest(dir, ingest);
    assert.deepEqual(await readIngestFeatures(dir), ingest.genes);
  });
});
