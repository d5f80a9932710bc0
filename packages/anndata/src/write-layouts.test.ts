import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { after, test } from "node:test";
import { createH5Sink } from "./h5-sink.ts";
import { type AnnDataInput, takeRows, writeAnnData, writeH5ad } from "./index.ts";
import { sliceRows } from "./rows.ts";
import type { Sink, Values } from "./storage.ts";
import { counts, csr, dense, frame, opened, temporaryFolder } from "./test-fixtures.ts";
import { writeMatrix } from "./write-matrix.ts";

const folder = temporaryFolder();
after(folder.remove);
const path = folder.path("file.h5ad");

const cells = counts(40, 9);
const x = csr(cells, 9);

async function* inBatches(step: number) {
  for (let start = 0; start < x.nRows; start += step) {
    await Promise.resolve();
    yield sliceRows(x, start, Math.min(x.nRows, start + step));
  }
}

for (const format of ["csr", "csc", "dense"] as const) {
  test(`X streams in and is stored as ${format}`, async () => {
    const input = { obs: frame("c", 40), var: frame("g", 9) };
    for (const xDtype of ["float32", "float64", "int32", "uint16", "int64"] as const) {
      const stream = { shape: [40, 9] as [number, number], batches: inBatches(7) };
      await writeH5ad(
        path,
        { ...input, x: stream, raw: { x, var: frame("r", 9) } },
        { xFormat: format, xDtype },
      );
      const file = await opened(path);
      assert.equal(file.x?.format, format);
      assert.equal(file.x?.dtype, xDtype);
      assert.deepEqual(dense(file.x!.rows(0, 40)), cells);
      assert.equal(file.raw?.x.format, format);
      assert.deepEqual(dense(file.raw!.x.rows(3, 5)), cells.slice(3, 5));
      assert.deepEqual(file.raw?.var.index(), frame("r", 9).index);
    }
  });
}

test("a matrix without rows or columns is written in every layout", async () => {
  for (const xFormat of ["csr", "csc", "dense"] as const) {
    for (const [nRows, nCols] of [
      [0, 3],
      [3, 0],
      [0, 0],
    ] as const) {
      const empty = csr(
        Array.from({ length: nRows }, () => []),
        nCols,
      );
      await writeH5ad(path, { x: empty, obs: frame("c", nRows), var: frame("g", nCols) }, { xFormat });
      const file = await opened(path);
      assert.deepEqual(file.x?.shape, [nRows, nCols]);
      assert.equal(file.x?.rows(0, nRows).indices.length, 0);
    }
  }
});

test("obsm, varm, obsp and varp take arrays, sparse matrices and data frames", async () => {
  const square = csr(counts(40, 40), 40);
  const input: AnnDataInput = {
    x,
    obs: frame("c", 40),
    var: frame("g", 9),
    obsm: {
      image: { data: Uint8Array.from({ length: 240 }, (_, i) => i), shape: [40, 2, 3] },
      protein: {
        index: frame("c", 40).index,
        columns: { CD3: { kind: "boolean", values: new Uint8Array(40) } },
      },
      sparse: x,
    },
    varm: { PCs: { data: Float64Array.from({ length: 18 }, (_, i) => i), shape: [9, 2] } },
    obsp: { distances: square },
    varp: { corr: { data: new Float32Array(81).fill(1), shape: [9, 9] } },
  };
  await writeAnnData(path, input);
  const { obsm, varm, obsp, varp } = (await opened(path)).aligned;
  const image = obsm.get("image");
  assert.ok(image?.kind === "array");
  assert.deepEqual([image.dtype, image.shape], ["uint8", [40, 2, 3]]);
  assert.deepEqual([...image.rows(1, 2)], [6, 7, 8, 9, 10, 11]);
  const protein = obsm.get("protein");
  assert.ok(protein?.kind === "dataframe");
  assert.deepEqual(protein.frame.columnNames, ["CD3"]);
  const sparse = obsm.get("sparse");
  assert.ok(sparse?.kind === "sparse");
  assert.deepEqual(dense(sparse.matrix.rows(0, 40)), cells);
  const pcs = varm.get("PCs");
  assert.ok(pcs?.kind === "array" && pcs.dtype === "float64");
  const distances = obsp.get("distances");
  assert.ok(distances?.kind === "sparse");
  assert.deepEqual(distances.matrix.rows(0, 40), square);
  assert.ok(varp.get("corr")?.kind === "array");
  const wrong: [Partial<AnnDataInput>, RegExp][] = [
    [{ obsp: { d: x } }, /\/obsp\/d has shape \[40,9\], but obs has 40 cells/],
    [{ varm: { p: { data: new Float32Array(4), shape: [4] } } }, /varm\/p has 4 values/],
    [{ obsm: { f: frame("c", 39) } }, /\/obsm\/f has 39 rows, but obs has 40 cells/],
  ];
  for (const [change, message] of wrong) {
    await assert.rejects(writeAnnData(path, { ...input, ...change }), { tag: "invalid-argument", message });
  }
});

test("missing strings and categories of numbers keep what they are when asked to", async () => {
  const columns: AnnDataInput["obs"]["columns"] = {
    s: { kind: "string", values: ["b", null] },
    leiden: {
      kind: "categorical",
      codes: Int32Array.of(1, 0),
      categories: ["10", "20"],
      categoryValues: { kind: "number", dtype: "int64", values: Float64Array.of(10, 20) },
      ordered: true,
    },
  };
  const input = { obs: { index: ["a", "b"], columns }, var: frame("g", 0) };
  await writeH5ad(path, input, { missingStrings: "nullable" });
  const file = await opened(path);
  assert.deepEqual(file.obs.column("s"), columns.s);
  assert.deepEqual(file.obs.column("leiden"), columns.leiden);
});

test("the same batches give the same bytes in every layout", async () => {
  const again = folder.path("again.h5ad");
  for (const xFormat of ["csr", "csc", "dense"] as const) {
    for (const to of [path, again]) {
      const stream = { shape: [40, 9] as [number, number], batches: inBatches(11) };
      await writeH5ad(to, { x: stream, obs: frame("c", 40), var: frame("g", 9) }, { xFormat });
    }
    assert.ok(readFileSync(path).equals(readFileSync(again)), xFormat);
  }
});

test("a data frame may have more than 4,000 columns", async () => {
  const columns = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, i) => [
      `column ${i}`,
      { kind: "number" as const, dtype: "int32" as const, values: Int32Array.of(i) },
    ]),
  );
  await writeH5ad(path, { obs: { index: ["a"], columns }, var: frame("g", 0) });
  const { obs } = await opened(path);
  assert.equal(obs.columnNames.length, 5_000);
  assert.deepEqual(obs.column("column 4999"), columns["column 4999"]);
});

test("a whole matrix in one call is that of its rows, in every layout", async () => {
  for (const xFormat of ["csr", "csc", "dense"] as const) {
    await writeH5ad(path, { x, obs: frame("c", 40), var: frame("g", 9) }, { xFormat });
    const file = await opened(path);
    assert.deepEqual(dense(await file.x!.toCsr({ threads: 2 })), cells);
    const small = await opened(path, { maxBytes: 64 });
    await assert.rejects(small.x!.toCsr(), { tag: "too-large" });
  }
});

test("a stream that fails leaves nothing", async () => {
  const target = folder.path("failed.h5ad");
  async function* broken() {
    yield sliceRows(x, 0, 3);
    throw new Error("the source went away");
  }
  const input = { obs: frame("c", 40), var: frame("g", 9) };
  for (const xFormat of ["csr", "csc", "dense"] as const) {
    const stream = { shape: [40, 9] as [number, number], batches: broken() };
    await assert.rejects(writeH5ad(target, { ...input, x: stream }, { xFormat }), /the source went away/);
    const short = { shape: [40, 9] as [number, number], batches: [takeRows(x, Int32Array.of(0, 1))] };
    await assert.rejects(writeH5ad(target, { ...input, x: short }, { xFormat }), {
      tag: "invalid-argument",
      message: /have 2 rows together, expected 40/,
    });
  }
  assert.deepEqual(
    readdirSync(folder.path(".")).filter((name) => name.startsWith("failed")),
    [],
  );
});

test("writing a stream holds no more than a batch, whatever the layout", async () => {
  const real = createH5Sink(folder.path("bounded.h5ad"));
  let largest = 0;
  const seen = (values: Values) => {
    largest = Math.max(largest, values instanceof Map ? values.size : values.length);
  };
  const sink: Sink = {
    ...real,
    appendable: (where, layout) => {
      const target = real.appendable(where, layout);
      return {
        append: (values) => {
          seen(values);
          return target.append(values);
        },
      };
    },
  };
  const batch = csr(counts(10, 9), 9);
  const repeats = 500;
  const stream = (): { shape: [number, number]; batches: Iterable<typeof batch> } => ({
    shape: [10 * repeats, 9],
    batches: Array.from({ length: repeats }, () => batch).values(),
  });
  for (const format of ["csr", "dense", "csc"] as const) {
    largest = 0;
    await writeMatrix(sink, `/${format}`, stream(), [10 * repeats, 9], { format, dtype: "float32" });
    // By column it is one column of all rows; nine of them make the matrix.
    const bound = format === "csc" ? 10 * repeats : 10 * 9;
    assert.ok(largest <= bound, `${format}: ${largest} elements at a time, at most ${bound} expected`);
  }
  await real.abort();
});
