import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { inTempDir, type TestCell, type TestIngest, writeIngest } from "../test-tables.ts";

async function query(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const rows = await (await connection.run(sql)).getRowsJS();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

/** A table as hyparquet sees it: columns by name. */
async function hyparquetRows(path: string): Promise<Record<string, unknown>[]> {
  const bytes = await readFile(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  return parquetReadObjects({
    file,
    compressors: { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) },
  });
}

const plainNumber = (value: unknown): unknown =>
  typeof value === "bigint" ? Number(value) : Array.isArray(value) ? value.map(plainNumber) : (value ?? null);

const genes = 40;
const schema = [
  { name: "kind", type: "string" },
  { name: "age", type: "int" },
  { name: "score", type: "float" },
  { name: "ok", type: "bool" },
] as const;

const anyCell = (count: fc.Arbitrary<number>): fc.Arbitrary<TestCell> =>
  fc.record({
    original: fc.string({ unit: "binary", maxLength: 12 }),
    obs: fc.record({
      kind: fc.option(fc.constantFrom("", "B cell", "T cell", "é😀"), { nil: null }),
      age: fc.option(fc.maxSafeInteger(), { nil: null }),
      score: fc.option(fc.double({ noNaN: true }), { nil: null }),
      ok: fc.option(fc.boolean(), { nil: null }),
    }),
    entries: fc
      .uniqueArray(fc.integer({ min: 0, max: genes - 1 }), { maxLength: genes })
      .chain((columns) => fc.tuple(...columns.map((column) => fc.tuple(fc.constant(column), count)))),
  });

const anyIngest = (countsType: "int32" | "float32"): fc.Arbitrary<TestIngest> =>
  fc.record({
    id: fc.constant("i"),
    cellIdStart: fc.nat(2 ** 40),
    featureIdStart: fc.nat(2 ** 31 - 1 - genes),
    genes: fc.constant(Array.from({ length: genes }, (_, i) => `g${i}`)),
    schema: fc.constant([...schema]),
    countsType: fc.constant(countsType),
    cells: fc.array(
      anyCell(
        countsType === "int32"
          ? fc.oneof(fc.integer({ min: -(2 ** 23), max: 2 ** 23 }), fc.nat(3))
          : fc.float({ noNaN: true, noDefaultInfinity: true }),
      ),
      { maxLength: 40 },
    ),
  });

for (const countsType of ["int32", "float32"] as const)
  test(`what is written, DuckDB and hyparquet read, ${countsType}`, async () => {
    await fc.assert(
      fc.asyncProperty(
        anyIngest(countsType),
        fc.constantFrom("delta", "plain"),
        fc.integer({ min: 1, max: 9 }),
        async (ingest, encoding, pageCells) => {
          await inTempDir(async (dir) => {
            await writeIngest(dir, ingest, 11, { encoding, pageCells, rowGroupBytes: 500 });
            const path = join(dir, "cells-00000.parquet");
            const expected = ingest.cells.map((cell, i) => {
              const stored = cell.entries.filter(([, count]) => count !== 0);
              return [
                ingest.cellIdStart + i,
                cell.original,
                ...schema.map(({ name }) => cell.obs[name] ?? null),
                "{}",
                stored.reduce((sum, [, count]) => sum + count, 0),
                stored.length,
                stored.map(([column]) => ingest.featureIdStart + column),
                stored.map(([, count]) => count),
              ];
            });
            const duck = await query(`FROM '${path}'`);
            assert.deepEqual(
              duck.map((row) => row.map(plainNumber)),
              expected,
            );
            const hyparquet = await hyparquetRows(path);
            assert.deepEqual(
              hyparquet.map((row) => Object.values(row).map(plainNumber)),
              expected,
            );
            const obs = await hyparquetRows(join(dir, "obs.parquet"));
            assert.deepEqual(
              obs.map((row) => Object.values(row).map(plainNumber)),
              expected.map((row) => row.slice(0, -2)),
            );
          });
        },
      ),
      { numRuns: 25, seed: 3 },
    );
  });

test("filters on obs find what bounds promise: empty strings, both zeros, text beyond the BMP", async () => {
  await inTempDir(async (dir) => {
    const kinds = ["", "a", "\uffff", "😀", null];
    const scores = [0, -0, 1, -1, null];
    const cells = Array.from({ length: 50 }, (_, i) => ({
      original: `c${i}`,
      obs: { kind: kinds[i % 5]!, score: scores[i % 5]!, age: i, ok: i % 2 === 0 },
      entries: [] as [number, number][],
    }));
    await writeIngest(dir, {
      id: "i",
      cellIdStart: 0,
      featureIdStart: 0,
      genes: ["g"],
      schema: [...schema],
      countsType: "int32",
      cells,
    });
    const count = async (where: string) =>
      Number((await query(`SELECT count(*) FROM '${dir}/obs.parquet' WHERE ${where}`))[0]![0]);
    assert.equal(await count("kind = ''"), 10);
    assert.equal(await count("kind = '😀'"), 10);
    assert.equal(await count("kind > 'a'"), 20);
    assert.equal(await count("score = 0"), 20);
    assert.equal(await count("score < 0"), 10);
    assert.equal(await count("kind IS NULL AND score IS NULL"), 10);
    const bytes = await readFile(join(dir, "obs.parquet"));
    const metadata = parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    const kind = metadata.row_groups[0]!.columns[2]!.meta_data!;
    assert.equal(kind.statistics?.max_value, "😀");
    assert.equal(Number(kind.statistics?.null_count), 10);
  });
});
