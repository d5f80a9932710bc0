import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { type Column, openAnnData, writeH5ad } from "@cytomesh/anndata";
import { openIngest, readObs } from "@cytomesh/omics-store";
import { createTaskPool } from "@cytomesh/service-kit";
import type { ConvertOptions } from "../schemas/plan.ts";
import { type FileInput, type MatrixInput, writeLayout } from "../testing/h5ad.ts";
import { makeWorld, pool, readBack } from "../testing/world.ts";
import { convertFile } from "./convert-file.ts";
import { planObs } from "./obs-columns.ts";
import { planFile } from "./plan-file.ts";

let world: Awaited<ReturnType<typeof makeWorld>>;
let made = 0;
before(async () => {
  world = await makeWorld();
});
after(async () => {
  await pool.close();
  await world?.close();
});

const defaults: ConvertOptions = {
  obsMapping: {},
  featureIdColumn: "",
  matrix: "auto",
  layer: "",
  allowNonCounts: false,
  allFeatureTypes: false,
};
const cells = ["c0", "c1", "c2"];
const genes = ["ENSG00000000001.7", "ENSG00000000002", "SPIKE-IN"];
const counts = [
  [0, 3, 1],
  [2, 0, 0],
  [0, 0, 70_000],
];
const normal = counts.map((row) => row.map((value) => value / 4));

function file(part: Partial<FileInput>): string {
  const path = world.path(`${made++}.h5ad`);
  writeLayout(path, { cells, genes, ...part });
  return path;
}

/** Convert a file and read the ingest back. */
async function convert(path: string, options: Partial<ConvertOptions> = {}, obs: string[] = []) {
  const outDir = world.path(`ingest-${made++}`);
  const manifest = await convertFile(pool, {
    path,
    outDir,
    ingestId: "ing-1",
    cellIdStart: 40,
    featureIdStart: 7,
    sourceName: "s.h5ad",
    sha256: "0".repeat(64),
    options: { ...defaults, ...options },
    encoding: "delta",
    signal: new AbortController().signal,
    onCells: () => undefined,
  });
  const stored = await readBack(outDir, world.path(`cur-${made++}`), [
    "n_counts",
    "original_cell_id",
    ...obs,
  ]);
  return { manifest, outDir, ...stored };
}

const problemsOf = async (path: string, options: Partial<ConvertOptions> = {}) =>
  (await planFile(path, { ...defaults, ...options })).problems;

for (const layout of ["csr", "csc", "dense"] as const)
  test(`counts in a ${layout} X come out as they are, with totals, ids and names`, async () => {
    const { manifest, ...found } = await convert(file({ x: { rows: counts, layout } }));
    assert.deepEqual(found.dense, counts);
    assert.deepEqual(found.features, ["ENSG00000000001", "ENSG00000000002", "SPIKE-IN"]);
    assert.deepEqual(found.cellIds, [40, 41, 42]);
    assert.deepEqual(found.obs.n_counts, [4, 2, 70_000]);
    assert.deepEqual(found.obs.original_cell_id, cells);
    assert.deepEqual([manifest.countsType, manifest.nnz, manifest.source.matrix], ["int32", 4, "X"]);
  });

test("the same cells by row and by column give the same files, and nothing beside them", async () => {
  const many = Array.from({ length: 9_000 }, (_, i) => `c${i}`);
  const rows = many.map((_, i) => [i % 3, i % 7 === 0 ? 5 : 0, i % 2]);
  const contents = async (layout: "csr" | "csc") => {
    const { outDir, manifest } = await convert(file({ cells: many, x: { rows, layout } }));
    assert.deepEqual((await readdir(outDir)).toSorted(), [
      "cells-00000.parquet",
      "features.parquet",
      "manifest.json",
      "obs.parquet",
    ]);
    return manifest.files;
  };
  assert.deepEqual(await contents("csc"), await contents("csr"));
});

test("auto takes raw.X with its own genes and totals; x, raw-x and layer take what they name", async () => {
  const raw = { rows: counts, layout: "csr" as const, genes: ["r1", "r2", "r3"] };
  const two: MatrixInput = { rows: counts.map((row) => row.slice(0, 2)), layout: "dense" };
  const path = file({ genes: genes.slice(0, 2), x: two, raw, layers: { spliced: two } });
  const seen = async (options: Partial<ConvertOptions>) => {
    const { features, manifest, obs } = await convert(path, options);
    return [manifest.source.matrix, features.length, ...(obs.n_counts ?? [])];
  };
  assert.deepEqual(await seen({}), ["raw/X", 3, 4, 2, 70_000]);
  assert.deepEqual(await seen({ matrix: "raw-x" }), ["raw/X", 3, 4, 2, 70_000]);
  assert.deepEqual(await seen({ matrix: "x" }), ["X", 2, 3, 2, 0]);
  assert.deepEqual(await seen({ matrix: "layer", layer: "spliced" }), ["layers/spliced", 2, 3, 2, 0]);
  assert.match(
    (await problemsOf(path, { matrix: "layer", layer: "constructor" })).join(),
    /layers\/constructor is asked for, but the file has X, raw\/X, layers\/spliced/,
  );
});

test("integers that the warehouse would round are told before anything is converted", async () => {
  const path = world.path(`${made++}.h5ad`);
  const hash: Column = { kind: "number", dtype: "int64", values: Float64Array.of(1, 2 ** 53 - 1, 3) };
  const x = { nRows: 3, nCols: 1, indptr: Float64Array.of(0, 1, 2, 3), indices: new Int32Array(3) };
  await writeH5ad(
    path,
    {
      x: { ...x, data: Float32Array.of(1, 2, 3) },
      obs: { index: cells, columns: { hash } },
      var: { index: ["g"], columns: {} },
    },
    { compression: "none" },
  );
  // The writer takes no number that is not exact; the file gets one.
  const bytes = await readFile(path);
  const at = bytes.indexOf(Buffer.from("ffffffffffff1f00", "hex"));
  await writeFile(path, bytes.fill(0x7f, at + 7, at + 8));
  assert.match(
    (await problemsOf(path)).join(),
    /\/obs\/hash\[1\] = 9160321642071588863 is beyond .* store the column as text/,
  );
});

test("a matrix that is not there is a problem that says what there is", async () => {
  const path = file({ x: { rows: counts, layout: "csr" } });
  assert.match(
    (await problemsOf(path, { matrix: "raw-x" })).join(),
    /^raw\/X is asked for, but the file has X$/,
  );
  assert.match((await problemsOf(file({}))).join(), /^X is asked for, but the file has no matrix at all$/);
});

test("names in the var index stay with the features when the ids come from a column", async () => {
  const ids = ["ENSG00000000001.7", "ENSG00000000002.1", "ENSG00000000002.3"];
  const path = file({ genes: ["A", "B", "B2"], var: { gene_ids: ids }, x: { rows: counts, layout: "csr" } });
  const { features, manifest, dense } = await convert(path);
  assert.deepEqual(features, ["ENSG00000000001", "ENSG00000000002"]);
  assert.deepEqual(
    manifest.featureColumns.map(({ source }) => source),
    ["_index", "gene_ids"],
  );
  // Two versions of a gene are one gene.
  assert.deepEqual(dense, [
    [0, 4],
    [2, 0],
    [0, 70_000],
  ]);
  assert.deepEqual((await convert(path, { featureIdColumn: "index" })).features, ["A", "B", "B2"]);
});

test("everything wrong with a file is listed at once", async () => {
  const path = file({
    obs: { sample: ["a", "b", "c"] },
    x: {
      rows: [
        [0.5, 1, 1],
        [Number.NaN, 0, 1],
        [0, -2, 1],
      ],
      layout: "csr",
    },
  });
  const problems = await problemsOf(path, { obsMapping: { donor: "d" }, featureIdColumn: "nope" });
  assert.equal(problems.length, 5);
  for (const pattern of [
    /no column "nope"/,
    /mapping names donor, but obs has sample/,
    /not finite.*row 1/,
    /negative.*row 2/,
    /not whole.*row 0/,
  ])
    assert.ok(
      problems.some((problem) => pattern.test(problem)),
      String(pattern),
    );
  assert.deepEqual((await problemsOf(path, { allowNonCounts: true })).length, 2);
});

test("a matrix by column is judged by a look at its entries", async () => {
  const many = Array.from({ length: 2_000 }, (_, row) => `c${row}`);
  const rows = many.map((_, row) => [row === 7 ? -1 : 1, row === 9 ? 0.5 : 2]);
  const found = await problemsOf(file({ cells: many, genes: ["a", "b"], x: { rows, layout: "csc" } }));
  assert.match(found.join("; "), /X: negative values in 1 of 4000 values looked at \(row 7 has -1\)/);
  assert.match(found.join("; "), /not whole numbers.* in 1 of 4000 values looked at \(row 9 has 0.5\)/);
});

test("a bad value that planning did not look at stops the conversion and leaves nothing", async () => {
  // Planning looks at 8 blocks of 64 rows; row 100 of 2000 is between two of them.
  const many = Array.from({ length: 2_000 }, (_, row) => `c${row}`);
  for (const [bad, options] of [
    [-1, {}],
    [-0.5, { allowNonCounts: true }],
    [1.5, {}],
    [Number.NaN, { allowNonCounts: true }],
    [Number.POSITIVE_INFINITY, { allowNonCounts: true }],
  ] as const) {
    const rows = many.map((_, row) => [row === 100 ? bad : 1, 2]);
    const path = file({ cells: many, genes: ["a", "b"], x: { rows, layout: "csr" } });
    assert.deepEqual(await problemsOf(path, options), [], `planning saw ${bad}`);
    const before = made;
    await assert.rejects(convert(path, options), (error: Error) => {
      assert.match(error.message, /^X: row 100 has .* \(cell "c100", gene "a"\)/);
      return true;
    });
    assert.deepEqual(await readdir(world.path(`ingest-${before}`)), []);
  }
});

test("values that are not counts are kept as float32 when they are allowed, counts as int32 all the same", async () => {
  const { manifest, dense } = await convert(file({ x: { rows: normal, layout: "csc" } }), {
    allowNonCounts: true,
  });
  assert.equal(manifest.countsType, "float32");
  assert.deepEqual(dense, normal);
  const whole = await convert(file({ x: { rows: counts, layout: "csr" } }), { allowNonCounts: true });
  assert.equal(whole.manifest.countsType, "int32");
  const huge = await convert(
    file({
      x: {
        rows: [
          [2 ** 40, 0, 1],
          [0, 0, 0],
          [0, 0, 0],
        ],
        layout: "csr",
      },
    }),
    { allowNonCounts: true },
  );
  assert.equal(huge.manifest.countsType, "float32");
  assert.deepEqual(huge.dense[0], [2 ** 40, 0, 1]);
});

const x = {
  nRows: 3,
  nCols: 1,
  indptr: Float64Array.of(0, 1, 2, 3),
  indices: Int32Array.of(0, 0, 0),
  data: Float32Array.of(1, 2, 3),
};

test("nullable, categorical and oddly named columns keep their values, missing ones missing", async () => {
  const path = world.path(`${made++}.h5ad`);
  const mask = Uint8Array.of(0, 1, 0);
  const inherited: [string, Column][] = [
    ["constructor", { kind: "string", values: ["x", "y", "z"] }],
    ["toString", { kind: "string", values: ["1", "2", "3"] }],
  ];
  await writeH5ad(path, {
    x,
    obs: {
      index: cells,
      columns: {
        age: { kind: "number", dtype: "int64", values: Float64Array.of(5, 0, 2 ** 53 - 1), mask },
        ok: { kind: "boolean", values: Uint8Array.of(1, 0, 0), mask },
        purity: { kind: "number", dtype: "float32", values: Float32Array.of(0.5, Number.NaN, 2) },
        kind: { kind: "categorical", codes: Int32Array.of(1, -1, 0), categories: ["b", "a"], ordered: true },
        ...Object.fromEntries(inherited),
        nnz: { kind: "number", dtype: "int32", values: Int32Array.of(9, 8, 7) },
        'weird "ö" 😀': { kind: "string", values: ["", "é", "😀"] },
      },
    },
    var: { index: ["g"], columns: {} },
  });
  const names = ["age", "ok", "purity", "kind", "constructor", "toString", "obs_nnz", 'weird "ö" 😀'];
  const { outDir, obs } = await convert(path, {}, names);
  const { manifest } = await openIngest(outDir);
  assert.deepEqual(
    manifest.obsSchema.map(({ name, type }) => [name, type]),
    [
      ["age", "int"],
      ["ok", "bool"],
      ["purity", "float"],
      ["kind", "string"],
      ["constructor", "string"],
      ["toString", "string"],
      ["obs_nnz", "int"],
      ['weird "ö" 😀', "string"],
    ],
  );
  assert.deepEqual(obs.ok, [true, null, false]);
  assert.deepEqual(obs.purity, [0.5, null, 2]);
  assert.deepEqual(obs.kind, ["a", null, "b"]);
  assert.deepEqual(obs.constructor, ["x", "y", "z"]);
  assert.deepEqual(obs.obs_nnz, [9, 8, 7]);
  assert.deepEqual(obs['weird "ö" 😀'], ["", "é", "😀"]);
  const ages = (await readObs([outDir], { columns: ["age"] })).columns.age;
  assert.equal(ages?.kind, "number");
  assert.deepEqual([...(ages.kind === "number" ? ages.values : [])], [5, Number.NaN, 2 ** 53 - 1]);
});

test("the mapping renames columns, takes the index in, and does not mistake a column called index for it", async () => {
  const path = file({
    obs: { index: ["i", "j", "k"], type: ["T", "B", "T"] },
    x: { rows: counts, layout: "csr" },
  });
  const obsMapping = { index: "barcode", type: "cell_type" };
  const { obs } = await convert(path, { obsMapping }, ["barcode", "cell_type", "index"]);
  assert.deepEqual(obs.barcode, cells);
  assert.deepEqual(obs.cell_type, ["T", "B", "T"]);
  assert.deepEqual(obs.index, ["i", "j", "k"]);
  using opened = await openAnnData(path);
  assert.throws(() => planObs(opened.obs, { index: "type" }), /two obs columns would be named "type"/);
  assert.throws(() => planObs(opened.obs, { constructor: "x" }), /mapping names constructor/);
});

/** A file of 20,000 cells, which are several slices. */
async function manyCells(): Promise<string> {
  const nRows = 20_000;
  const path = world.path(`${made++}.h5ad`);
  await writeH5ad(path, {
    x: {
      nRows,
      nCols: 3,
      indptr: Float64Array.from({ length: nRows + 1 }, (_, row) => row * 2),
      indices: Int32Array.from({ length: nRows * 2 }, (_, k) => (k % 2) * 2),
      data: Float32Array.from({ length: nRows * 2 }, (_, k) => 1 + ((k * 7) % 5)),
    },
    obs: {
      index: Array.from({ length: nRows }, (_, row) => `c${row}`),
      columns: {
        kind: { kind: "string", values: Array.from({ length: nRows }, (_, row) => `k${row % 11}`) },
      },
    },
    var: { index: genes, columns: {} },
  });
  return path;
}

test("the bytes of an ingest do not depend on the threads", async () => {
  const path = await manyCells();
  const three = createTaskPool(new URL("./tasks.ts", import.meta.url), { threads: 3 });
  try {
    const told: number[] = [];
    const run = (with_: typeof pool) =>
      convertFile(with_, {
        path,
        outDir: world.path(`ingest-${made++}`),
        ingestId: "ing-1",
        cellIdStart: 0,
        featureIdStart: 0,
        sourceName: "s.h5ad",
        sha256: "0".repeat(64),
        options: defaults,
        encoding: "delta",
        signal: new AbortController().signal,
        onCells: (done) => told.push(done),
      });
    const one = await run(pool);
    assert.deepEqual(await run(three), one);
    assert.deepEqual(told, [8192, 16_384, 20_000, 8192, 16_384, 20_000]);
  } finally {
    await three.close();
  }
});

test("a conversion that is given up stops, and leaves nothing", async () => {
  const path = await manyCells();
  const outDir = world.path(`ingest-${made++}`);
  const controller = new AbortController();
  const conversion = convertFile(pool, {
    path,
    outDir,
    ingestId: "ing-1",
    cellIdStart: 0,
    featureIdStart: 0,
    sourceName: "s.h5ad",
    sha256: "0".repeat(64),
    options: defaults,
    encoding: "delta",
    signal: controller.signal,
    onCells: () => controller.abort(new Error("enough")),
  });
  await assert.rejects(conversion, /enough|cancelled/);
  assert.deepEqual(await readdir(outDir), []);
});
