import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { readColumns } from "./count-cells.ts";
import { OmicsStoreError, type OmicsStoreErrorTag } from "./errors.ts";
import { distinctValues, readObs } from "./read-obs.ts";
import { inTempDir, type TestIngest, valueAt, writeIngest } from "./test-tables.ts";
import type { ObsColumn } from "./types.ts";

const tagged = (tag: OmicsStoreErrorTag) => (error: unknown) =>
  error instanceof OmicsStoreError && error.tag === tag;
const values = (column: ObsColumn | undefined, n: number) =>
  Array.from({ length: n }, (_, i) => valueAt(column!, i));

const first: TestIngest = {
  id: "first",
  cellIdStart: 100,
  featureIdStart: 0,
  genes: ["g"],
  countsType: "int32",
  schema: [
    { name: "kind", type: "string" },
    { name: "age", type: "int" },
    { name: "ok", type: "bool" },
  ],
  cells: [
    { original: "a", obs: { kind: "T cell", age: 4, ok: true }, entries: [[0, 3]] },
    { original: "b", obs: { kind: "B cell", age: 5, ok: null }, entries: [] },
    { original: "c", obs: { kind: null, age: 6, ok: false }, entries: [] },
  ],
};
const second: TestIngest = {
  ...first,
  id: "second",
  cellIdStart: 0,
  schema: [
    { name: "kind", type: "string" },
    { name: "age", type: "float" },
    { name: "ok", type: "string" },
  ],
  cells: [
    { original: "a", obs: { kind: "T cell", age: 4.5, ok: "maybe" }, entries: [] },
    { original: "z", obs: { kind: "t helper", age: null, ok: null }, entries: [] },
  ],
};

async function withBoth(use: (dirs: string[]) => Promise<void>): Promise<void> {
  await inTempDir(async (dir) => {
    const dirs = [join(dir, "one"), join(dir, "two")];
    await writeIngest(dirs[0]!, first);
    await writeIngest(dirs[1]!, second);
    await use(dirs);
  });
}

test("columns of differing types are widened, columns that lack are null", async () => {
  await withBoth(async (dirs) => {
    const columns = Object.fromEntries((await readColumns(dirs)).map((c) => [c.name, c.type]));
    assert.deepEqual(columns, {
      cell_id: "int",
      original_cell_id: "string",
      ingest_id: "string",
      n_counts: "float",
      nnz: "int",
      kind: "string",
      age: "float",
      ok: "string",
    });
    const { cellIds, columns: read } = await readObs(dirs, {
      columns: ["age", "ok", "ingest_id", "n_counts"],
    });
    assert.deepEqual([...cellIds], [0, 1, 100, 101, 102]);
    assert.deepEqual(values(read.age, 5), [4.5, null, 4, 5, 6]);
    assert.deepEqual(values(read.ok, 5), ["maybe", null, "true", null, "false"]);
    assert.deepEqual(values(read.ingest_id, 5), ["second", "second", "first", "first", "first"]);
    assert.deepEqual(values(read.n_counts, 5), [0, 0, 3, 0, 0]);
  });
});

test("ints without a gap are int64, booleans keep their mask", async () => {
  await withBoth(async ([one]) => {
    const { columns } = await readObs([one!], { columns: ["age", "ok"] });
    assert.deepEqual(columns.age, { kind: "number", dtype: "int64", values: Float64Array.of(4, 5, 6) });
    assert.deepEqual(columns.ok, {
      kind: "boolean",
      values: Uint8Array.of(1, 0, 0),
      mask: Uint8Array.of(0, 1, 0),
    });
  });
});

test("cells asked for by id come in that order, repeats included, unknown ones left out", async () => {
  await withBoth(async (dirs) => {
    const { cellIds, columns } = await readObs(dirs, {
      cellIds: [102, 1, 55, 102, 0],
      columns: ["original_cell_id"],
    });
    assert.deepEqual([...cellIds], [102, 1, 102, 0]);
    assert.deepEqual(values(columns.original_cell_id, 4), ["c", "z", "c", "a"]);
    const none = await readObs(dirs, { cellIds: [], columns: ["kind"] });
    assert.deepEqual([...none.cellIds], []);
    await assert.rejects(readObs(dirs, { cellIds: [0.5], columns: [] }), tagged("invalid_request"));
  });
});

test("limit, filters and ids combine", async () => {
  await withBoth(async (dirs) => {
    assert.deepEqual([...(await readObs(dirs, { columns: [], limit: 3 })).cellIds], [0, 1, 100]);
    assert.deepEqual([...(await readObs(dirs, { columns: [], limit: 0 })).cellIds], []);
    const filtered = await readObs(dirs, {
      columns: ["kind"],
      filters: { age__gte: 4.5 },
      cellIds: [102, 100, 0],
    });
    assert.deepEqual([...filtered.cellIds], [102, 0]);
    await assert.rejects(readObs(dirs, { columns: ["nope"] }), tagged("unknown_column"));
    await assert.rejects(readObs(dirs, { columns: [], limit: -1 }), tagged("invalid_request"));
  });
});

test("distinct values are counted over all ingests, the most frequent first, and searched by prefix without case", async () => {
  await withBoth(async (dirs) => {
    assert.deepEqual(await distinctValues(dirs, "kind"), [
      { value: "T cell", cells: 2 },
      { value: "B cell", cells: 1 },
      { value: "t helper", cells: 1 },
    ]);
    assert.deepEqual(
      (await distinctValues(dirs, "kind", "t ")).map((v) => v.value),
      ["T cell", "t helper"],
    );
    assert.deepEqual(await distinctValues(dirs, "kind", "%"), []);
    assert.deepEqual(await distinctValues(dirs, "kind", "", 1), [{ value: "T cell", cells: 2 }]);
    await assert.rejects(distinctValues(dirs, "nope"), tagged("unknown_column"));
  });
});
