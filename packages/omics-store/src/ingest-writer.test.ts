import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { DuckDBInstance } from "@duckdb/node-api";
import { OmicsStoreError, type OmicsStoreErrorTag } from "./errors.ts";
import { createIngestWriter, type IngestBatch, type IngestWriterOptions } from "./ingest-writer.ts";
import { openIngest } from "./ingests.ts";
import { encodeMatrixPages } from "./parquet/matrix-pages.ts";
import { csr, inTempDir, type TestIngest, writeIngest } from "./test-tables.ts";

const tagged = (tag: OmicsStoreErrorTag, text?: RegExp) => (error: unknown) =>
  error instanceof OmicsStoreError && error.tag === tag && (text?.test(error.message) ?? true);

async function query(sql: string): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const rows = await (await connection.run(sql)).getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return rows;
}

const options = (dir: string, change: Partial<IngestWriterOptions> = {}): IngestWriterOptions => ({
  dir,
  ingestId: "i",
  cellIdStart: 0,
  featureIdStart: 0,
  features: { ids: ["g0", "g1"], columns: {} },
  obsSchema: [],
  countsType: "int32",
  provenance: { sourceName: "file:///x", sha256: "0".repeat(64) },
  ...change,
});

const batch = (data: number[], change: Partial<IngestBatch> = {}): IngestBatch => ({
  rows: {
    nRows: 1,
    nCols: 2,
    indptr: Float64Array.of(0, data.length),
    indices: Int32Array.from(data, (_, i) => i),
    data: Float64Array.from(data),
  },
  originalIds: ["AAAC-1"],
  totals: Float64Array.of(1),
  obs: {},
  ...change,
});

const plain: TestIngest = {
  id: "plain",
  cellIdStart: 7,
  featureIdStart: 40,
  genes: ["g0", "g1", "g0"],
  countsType: "int32",
  schema: [
    { name: "kind", type: "string" },
    { name: "age", type: "int" },
    { name: "score", type: "float" },
    { name: "ok", type: "bool" },
  ],
  cells: [
    {
      original: "a\0b",
      obs: { kind: "x", age: 3, score: 0.5, ok: true },
      entries: [
        [2, 5],
        [0, 0],
        [1, 1],
      ],
    },
    { original: "é😀", obs: {}, entries: [] },
    { original: "", obs: { kind: "", age: -1, score: -0.25, ok: false }, entries: [[0, 2 ** 24]] },
  ],
};

test("files hold the documented columns and types, and DuckDB reads them", async () => {
  await inTempDir(async (dir) => {
    const manifest = await writeIngest(dir, plain);
    const types = await query(
      `SELECT column_name, column_type FROM (DESCRIBE FROM '${dir}/cells-00000.parquet')`,
    );
    assert.deepEqual(types, [
      ["cell_id", "BIGINT"],
      ["original_cell_id", "VARCHAR"],
      ["kind", "VARCHAR"],
      ["age", "BIGINT"],
      ["score", "DOUBLE"],
      ["ok", "BOOLEAN"],
      ["obs_extra", "VARCHAR"],
      ["n_counts", "DOUBLE"],
      ["nnz", "INTEGER"],
      ["feature_ids", "INTEGER[]"],
      ["counts", "INTEGER[]"],
    ]);
    assert.deepEqual(await query(`FROM '${dir}/cells-00000.parquet'`), [
      ["7", "a\0b", "x", "3", 0.5, true, "{}", 6, 2, [42, 41], [5, 1]],
      ["8", "é😀", null, null, null, null, "{}", 0, 0, [], []],
      ["9", "", "", "-1", -0.25, false, "{}", 2 ** 24, 1, [40], [2 ** 24]],
    ]);
    assert.deepEqual(
      await query(`FROM '${dir}/obs.parquet'`),
      await query(`SELECT * EXCLUDE (feature_ids, counts) FROM '${dir}/cells-00000.parquet'`),
    );
    assert.deepEqual(await query(`FROM '${dir}/features.parquet'`), [
      [40, 0, "g0", "name of g0"],
      [41, 1, "g1", "name of g1"],
      [42, 2, "g0", "name of g0"],
    ]);
    assert.deepEqual((await openIngest(dir)).manifest, manifest);
    assert.equal(manifest.nnz, 3);
    for (const file of manifest.files) {
      const bytes = await readFile(join(dir, file.name));
      assert.equal(createHash("sha256").update(bytes).digest("hex"), file.sha256);
      assert.equal(bytes.length, file.bytes);
    }
  });
});

test("fractions are stored as float lists", async () => {
  await inTempDir(async (dir) => {
    const cells = [
      {
        original: "c",
        obs: {},
        entries: [
          [1, 0.5],
          [0, -3],
        ] as [number, number][],
      },
    ];
    await writeIngest(dir, { ...plain, countsType: "float32", cells });
    assert.deepEqual(
      await query(`SELECT typeof(counts), feature_ids, counts FROM '${dir}/cells-00000.parquet'`),
      [["FLOAT[]", [41, 40], [0.5, -3]]],
    );
  });
});

test("bytes do not depend on how cells are cut into batches", async () => {
  const cells = Array.from({ length: 9000 }, (_, i) => ({
    original: `c${i}`,
    obs: { kind: i % 5 === 0 ? null : `k${i % 7}`, age: i, score: i / 3, ok: i % 2 === 0 },
    entries: [
      [i % 3, 1 + (i % 9)],
      [(i + 1) % 3, 0],
    ] as [number, number][],
  }));
  const ingest = { ...plain, cells };
  await inTempDir(async (dir) => {
    const small = { filesMaxCells: 5120, rowGroupBytes: 3000 };
    const whole = await writeIngest(join(dir, "a"), ingest, 9000, small);
    const pieces = await writeIngest(join(dir, "b"), ingest, 777, small);
    assert.deepEqual(pieces, whole);
    assert.deepEqual(
      whole.files.map((f) => [f.name, f.rows]),
      [
        ["cells-00000.parquet", 5120],
        ["cells-00001.parquet", 3880],
        ["obs.parquet", 9000],
        ["features.parquet", 3],
      ],
    );
    const groups = await query(
      `SELECT DISTINCT row_group_num_rows FROM parquet_metadata('${dir}/a/cells-00001.parquet') ORDER BY 1`,
    );
    assert.ok(groups.length > 1, "several row groups");
    for (const file of whole.files)
      assert.deepEqual(
        await readFile(join(dir, "b", file.name)).then((bytes) =>
          createHash("sha256").update(bytes).digest("hex"),
        ),
        file.sha256,
      );
  });
});

test("pages that were encoded elsewhere give the bytes that the writer makes itself", async () => {
  const genes = Array.from({ length: 50 }, (_, i) => `g${i}`);
  const cells = Array.from({ length: 1000 }, (_, i) => ({
    original: `cell ${i}`,
    obs: { kind: `k${i % 7}` },
    entries: Array.from({ length: (i * 5) % 40 }, (_, k): [number, number] => [k, (i + k) % 4]),
  }));
  const ingest: TestIngest = { ...plain, genes, cells, schema: [{ name: "kind", type: "string" }] };
  for (const encoding of ["delta", "plain"] as const)
    await inTempDir(async (dir) => {
      const small = { pageCells: 64, rowGroupBytes: 4000, filesMaxCells: 640, encoding };
      const whole = await writeIngest(join(dir, "a"), ingest, 300, small);
      const writer = await createIngestWriter({
        dir: join(dir, "b"),
        ingestId: ingest.id,
        cellIdStart: ingest.cellIdStart,
        featureIdStart: ingest.featureIdStart,
        features: {
          ids: genes,
          columns: { name: { kind: "string", values: genes.map((g) => `name of ${g}`) } },
        },
        obsSchema: ingest.schema,
        countsType: "int32",
        provenance: { sourceName: `file:///${ingest.id}.h5ad`, sha256: "0".repeat(64) },
        ...small,
      });
      for (const [from, to] of [
        [0, 128],
        [128, 192],
        [192, 1000],
      ] as const) {
        const part = cells.slice(from, to);
        const pages = encodeMatrixPages(csr(part, genes.length), {
          countsType: "int32",
          encoding,
          featureIdStart: ingest.featureIdStart,
          nFeatures: genes.length,
          pageCells: 64,
          names: { cell: String, gene: String },
        });
        await writer.appendEncoded({
          pages,
          originalIds: part.map((c) => c.original),
          totals: pages.totals,
          obs: { kind: { kind: "string", values: part.map((c) => c.obs.kind) } },
        });
      }
      assert.deepEqual(await writer.finish(), whole);
      assert.equal(whole.files.filter((f) => f.name.startsWith("cells-")).length, 2);
    });
});

test("encoded pages are taken only where a page begins, and only with the writer's options", async () => {
  await inTempDir(async (dir) => {
    const encode = { countsType: "int32", featureIdStart: 0, nFeatures: 2, pageCells: 256 } as const;
    const names = { cell: String, gene: String };
    const one = batch([1]);
    const pages = encodeMatrixPages(one.rows, { ...encode, encoding: "delta", names });
    const other = encodeMatrixPages(one.rows, { ...encode, encoding: "plain", names });
    const writer = await createIngestWriter(options(dir));
    await writer.append(one);
    await assert.rejects(
      writer.appendEncoded({ ...one, pages }),
      tagged("invalid_request", /multiple of 256/),
    );
    await writer.abort();
    const second = await createIngestWriter(options(dir));
    await assert.rejects(
      second.appendEncoded({ ...one, pages: other }),
      tagged("invalid_request", /options/),
    );
    await second.abort();
  });
});

test("an ingest of version 1 is refused by name", async () => {
  await inTempDir(async (dir) => {
    await writeIngest(dir, plain);
    const path = join(dir, "manifest.json");
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"version": 2', '"version": 1'));
    await assert.rejects(openIngest(dir), tagged("unsupported_version", /ingest the source file again/));
  });
});

test("an ingest without cells is a valid one", async () => {
  await inTempDir(async (dir) => {
    const manifest = await writeIngest(dir, { ...plain, cells: [] });
    assert.equal(manifest.cells, 0);
    assert.deepEqual(await query(`SELECT count(*) FROM '${dir}/cells-*.parquet'`), [["0"]]);
  });
});

test("reserved, empty and case-only names are stored by the documented rule", async () => {
  await inTempDir(async (dir) => {
    const names = ["nnz", "Cell_ID", "", "sex", "Sex", "sex_2", "obs_nnz", 'q"uote', "日本", "__proto__"];
    const writer = await createIngestWriter(
      options(dir, { obsSchema: names.map((name) => ({ name, type: "string" })) }),
    );
    const obs = Object.fromEntries(
      names.map((n) => [n, { kind: "string" as const, values: [`value of ${n}`] }]),
    );
    await writer.append(batch([1], { obs }));
    const { obsSchema } = await writer.finish();
    assert.deepEqual(
      obsSchema.map(({ name, column }) => [name, column]),
      [
        ["obs_obs_nnz", "obs_obs_nnz"],
        ["obs_Cell_ID", "obs_Cell_ID"],
        ["obs_", "obs_"],
        ["sex", "sex"],
        ["Sex", "Sex_2"],
        ["sex_2", "sex_2_2"],
        ["obs_nnz", "obs_nnz"],
        ['q"uote', 'q"uote'],
        ["日本", "日本"],
        ["obs___proto__", "obs___proto__"],
      ],
    );
    const quoted = obsSchema.map((f) => `"${f.column.replaceAll('"', '""')}"`);
    const [row] = await query(`SELECT ${quoted.join(", ")} FROM '${dir}/obs.parquet'`);
    assert.deepEqual(
      row,
      obsSchema.map((f) => `value of ${f.source}`),
    );
  });
});

test("names that cannot be stored are refused", async () => {
  await inTempDir(async (dir) => {
    for (const names of [["a\0b"], ["\ud800"], ["a", "a"]]) {
      const obsSchema = names.map((name) => ({ name, type: "int" as const }));
      await assert.rejects(createIngestWriter(options(dir, { obsSchema })), tagged("invalid_column"));
    }
  });
});

test("counts that cannot be stored are refused, naming the cell and the gene", async () => {
  const attempt = (change: Partial<IngestWriterOptions>, b: IngestBatch) =>
    inTempDir(async (dir) => {
      const writer = await createIngestWriter(options(dir, change));
      try {
        await writer.append(b);
      } finally {
        await assert.rejects(writer.finish(), tagged("writer_closed"));
        await writer.abort();
        assert.deepEqual(await readdir(dir), []);
      }
    });
  const named = /cell "AAAC-1", gene "g1"/;
  await assert.rejects(attempt({}, batch([1, Number.NaN])), tagged("invalid_counts", named));
  await assert.rejects(attempt({}, batch([1, 1.5])), tagged("invalid_counts", /float32/));
  await assert.rejects(attempt({}, batch([1, 2 ** 31])), tagged("invalid_counts", named));
  await assert.rejects(
    attempt({ countsType: "float32" }, batch([1, -Infinity])),
    tagged("invalid_counts", named),
  );
  await assert.rejects(attempt({ countsType: "float32" }, batch([1, 1e39])), tagged("invalid_counts", named));
  const total = batch([1], { totals: Float64Array.of(Number.NaN) });
  await assert.rejects(attempt({}, total), tagged("invalid_counts", /AAAC-1/));
  const rows = batch([1, 1]).rows;
  const broken = [
    { ...rows, nCols: 3 },
    { ...rows, indptr: Float64Array.of(0) },
    { ...rows, indptr: Float64Array.of(0, 3) },
    { ...rows, indptr: Float64Array.of(0, -1) },
    { ...rows, indptr: Float64Array.of(0, Number.NaN) },
    { ...rows, indices: Int32Array.of(0, 2) },
    { ...rows, indices: Int32Array.of(-1, 0) },
  ];
  for (const r of broken)
    await assert.rejects(attempt({}, batch([1], { rows: r })), tagged("invalid_counts"), JSON.stringify(r));
});

test("obs columns that do not fit their declaration are refused", async () => {
  const attempt = (type: "int" | "string" | "bool", obs: IngestBatch["obs"]) =>
    inTempDir(async (dir) => {
      const writer = await createIngestWriter(options(dir, { obsSchema: [{ name: "x", type }] }));
      try {
        await writer.append(batch([1], { obs }));
      } finally {
        await writer.abort();
      }
    });
  const number = (value: number) => ({
    x: { kind: "number" as const, dtype: "float64" as const, values: Float64Array.of(value) },
  });
  await attempt("int", number(3));
  await assert.rejects(attempt("int", number(3.5)), tagged("invalid_column", /"x"/));
  await assert.rejects(attempt("int", number(2 ** 53)), tagged("invalid_column"));
  await assert.rejects(attempt("string", number(3)), tagged("invalid_column", /string was declared/));
  await assert.rejects(attempt("int", {}), tagged("invalid_column", /missing/));
  await assert.rejects(
    attempt("string", { x: { kind: "string", values: [] } }),
    tagged("invalid_column", /1 values/),
  );
  const codes = { kind: "categorical" as const, codes: Int32Array.of(1), categories: ["a"], ordered: false };
  await assert.rejects(attempt("string", { x: codes }), tagged("invalid_column", /code 1/));
});

test("ids that leave their types and options out of range are refused", async () => {
  await inTempDir(async (dir) => {
    const attempt = (change: Partial<IngestWriterOptions>) => createIngestWriter(options(dir, change));
    await assert.rejects(attempt({ featureIdStart: 2 ** 31 - 1 }), tagged("id_out_of_range", /int32/));
    await assert.rejects(attempt({ cellIdStart: 2 ** 53 }), tagged("id_out_of_range"));
    await assert.rejects(attempt({ cellIdStart: -1 }), tagged("id_out_of_range"));
    await assert.rejects(attempt({ pageCells: 0 }), tagged("invalid_request"));
    await assert.rejects(attempt({ filesMaxCells: 0 }), tagged("invalid_request"));
    await assert.rejects(attempt({ ingestId: "" }), tagged("invalid_request"));
    const writer = await attempt({ cellIdStart: Number.MAX_SAFE_INTEGER });
    await assert.rejects(writer.append(batch([1])), tagged("id_out_of_range"));
    await writer.abort();
  });
});

test("a finished ingest is not written over, and calls must be awaited", async () => {
  await inTempDir(async (dir) => {
    const writer = await createIngestWriter(options(dir));
    const first = writer.append(batch([1]));
    await assert.rejects(writer.append(batch([1])), tagged("writer_closed", /not awaited/));
    await first;
    await writer.finish();
    await writer.abort();
    assert.ok((await readdir(dir)).includes("manifest.json"), "abort after finish removes nothing");
    await assert.rejects(createIngestWriter(options(dir)), tagged("already_exists"));
  });
});

test("damaged folders are told apart from missing ones", async () => {
  await inTempDir(async (dir) => {
    await assert.rejects(openIngest(dir), tagged("not_found"));
    await writeIngest(dir, plain);
    const text = await readFile(join(dir, "manifest.json"), "utf8");
    await writeFile(join(dir, "manifest.json"), text.replace('"obs.parquet"', '"../obs.parquet"'));
    await assert.rejects(openIngest(dir), tagged("corrupt"));
    await writeFile(join(dir, "manifest.json"), text.slice(0, 100));
    await assert.rejects(openIngest(dir), tagged("corrupt", /not JSON/));
    await writeFile(join(dir, "manifest.json"), text);
    await writeFile(join(dir, "obs.parquet"), "short");
    await assert.rejects(openIngest(dir), tagged("corrupt", /obs\.parquet.*fetch/));
  });
});
