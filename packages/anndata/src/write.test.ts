import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { after, test } from "node:test";
import { openH5 } from "@cytomesh/hdf5";
import fc from "fast-check";
import { takeRows, writeH5ad } from "./index.ts";
import { counts, csr, dense, frame, opened, temporaryFolder } from "./test-fixtures.ts";
import type { AnnDataInput, Column, CsrRows } from "./types.ts";

const folder = temporaryFolder();
after(folder.remove);
const path = folder.path("file.h5ad");

test("random CSR matrices come back equal, whatever the batches and the compression", async () => {
  const matrix = fc
    .record({
      nRows: fc.integer({ min: 0, max: 30 }),
      nCols: fc.integer({ min: 0, max: 25 }),
      seed: fc.nat(),
    })
    .map(({ nRows, nCols, seed }) => {
      let state = seed;
      const next = () => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
        return state / 2 ** 31;
      };
      return csr(
        Array.from({ length: nRows }, () =>
          Array.from({ length: nCols }, () => (next() < 0.3 ? Math.fround(next() * 10) : 0)),
        ),
        nCols,
      );
    });
  await fc.assert(
    fc.asyncProperty(matrix, fc.integer({ min: 1, max: 40 }), fc.boolean(), async (rows, step, compress) => {
      const batches: CsrRows[] = [];
      for (let start = 0; start < rows.nRows; start += step) {
        const end = Math.min(rows.nRows, start + step);
        batches.push(
          takeRows(
            rows,
            Int32Array.from({ length: end - start }, (_, i) => start + i),
          ),
        );
      }
      const input: AnnDataInput = {
        x: { shape: [rows.nRows, rows.nCols], batches },
        obs: frame("c", rows.nRows),
        var: frame("g", rows.nCols),
      };
      await writeH5ad(path, input, { compression: compress ? "gzip" : "none" });
      const file = await opened(path);
      assert.deepEqual(file.x?.rows(0, rows.nRows), rows);
      const read = [...file.x!.batches(step)].map((batch) => batch.rows);
      assert.deepEqual(read, batches);
    }),
    { numRuns: 40, seed: 11 },
  );
});

test("columns of every kind come back", async () => {
  const columns: Record<string, Column> = {
    cell_type: {
      kind: "categorical",
      codes: Int32Array.of(0, -1, 1),
      categories: ["B", "T é"],
      ordered: true,
    },
    name: { kind: "string", values: ["x", "", "zeta"] },
    n: { kind: "number", dtype: "int64", values: Float64Array.of(1, -(2 ** 40), 3) },
    small: { kind: "number", dtype: "uint8", values: Uint8Array.of(0, 255, 3) },
    score: { kind: "number", dtype: "float32", values: Float32Array.of(0.5, Number.NaN, -1) },
    flag: { kind: "boolean", values: Uint8Array.of(1, 0, 1) },
    maybe_n: { kind: "number", dtype: "int32", values: Int32Array.of(5, 0, 7), mask: Uint8Array.of(0, 1, 0) },
    maybe: { kind: "boolean", values: Uint8Array.of(1, 0, 0), mask: Uint8Array.of(0, 0, 1) },
  };
  const obs = { index: ["a", "b", "c"], indexName: "barcode", columns };
  await writeH5ad(path, { obs, var: frame("g", 0) });
  const file = await opened(path);
  assert.equal(file.obs.indexName, "barcode");
  assert.deepEqual(file.obs.index(), obs.index);
  assert.deepEqual(file.obs.columnNames, Object.keys(columns));
  for (const [name, column] of Object.entries(columns)) assert.deepEqual(file.obs.column(name), column, name);
  assert.throws(() => file.obs.column("nope"), {
    tag: "not-found",
    message: /has no column "nope"; it has: cell_type, name/,
  });
  assert.equal(file.x, undefined);
  assert.deepEqual(file.var.columnNames, []);
});

test("missing strings become a categorical, missing floats NaN", async () => {
  const columns: Record<string, Column> = {
    s: { kind: "string", values: ["b", null, "a"] },
    f: { kind: "number", dtype: "float64", values: Float64Array.of(1, 2, 3), mask: Uint8Array.of(0, 1, 0) },
  };
  await writeH5ad(path, { obs: { index: ["x", "y", "z"], columns }, var: frame("g", 0) });
  const file = await opened(path);
  assert.deepEqual(file.obs.column("s"), {
    kind: "categorical",
    codes: Int32Array.of(1, -1, 0),
    categories: ["a", "b"],
    ordered: false,
  });
  assert.deepEqual(file.obs.column("f"), {
    kind: "number",
    dtype: "float64",
    values: Float64Array.of(1, Number.NaN, 3),
  });
});

test("layers, obsm, uns and the dtype of X come back", async () => {
  const x = csr(counts(4, 3), 3);
  const uns = {
    title: "t",
    n: 3,
    rate: 0.5,
    ok: true,
    colors: ["#fff", "#000"],
    sizes: [1, 2],
    nested: { empty: {} },
    none: null,
  };
  const input: AnnDataInput = {
    x,
    obs: frame("c", 4),
    var: frame("g", 3),
    uns,
    obsm: { X_pca: { data: Float32Array.from({ length: 8 }, (_, i) => i / 2), shape: [4, 2] } },
    layers: { counts: x },
  };
  await writeH5ad(path, input, { xDtype: "int32" });
  const file = await opened(path);
  assert.equal(file.x?.dtype, "int32");
  assert.deepEqual(dense(file.x!.rows(0, 4)), counts(4, 3));
  assert.deepEqual([...file.layers.keys()], ["counts"]);
  assert.deepEqual(file.layers.get("counts")?.rows(0, 4), x);
  assert.deepEqual(file.obsm("X_pca"), input.obsm!.X_pca);
  const { none: _, ...kept } = uns;
  assert.deepEqual(file.uns(), kept);
});

test("the elements anndata asks for are there", async () => {
  await writeH5ad(path, { x: csr(counts(2, 2), 2), obs: frame("c", 2), var: frame("g", 2) });
  const file = await openH5(path);
  const text = (where: string, name: string) => (file.attribute(where, name)!.values as string[])[0];
  assert.deepEqual(file.children("/").sort(), [
    "X",
    "layers",
    "obs",
    "obsm",
    "obsp",
    "uns",
    "var",
    "varm",
    "varp",
  ]);
  for (const group of ["layers", "obsm", "obsp", "uns", "varm", "varp"]) {
    assert.equal(text(`/${group}`, "encoding-type"), "dict");
    assert.equal(text(`/${group}`, "encoding-version"), "0.1.0");
  }
  assert.equal(text("/", "encoding-type"), "anndata");
  assert.equal(text("/X", "encoding-type"), "csr_matrix");
  assert.deepEqual(file.attribute("/X", "shape")?.values, BigInt64Array.of(2n, 2n));
  assert.equal(file.dataset("/X/indptr").type.kind, "int");
  assert.ok(file.read(file.dataset("/X/indptr")) instanceof Int32Array);
  assert.deepEqual(file.attribute("/obs", "column-order")?.values, new Float64Array(0));
  file.close();
});

test("identical input gives identical bytes, now and later", async (t) => {
  const input: AnnDataInput = {
    x: csr(counts(50, 20), 20),
    obs: {
      ...frame("c", 50),
      columns: { n: { kind: "number", dtype: "int32", values: new Int32Array(50) } },
    },
    var: frame("g", 20),
    uns: { a: 1 },
  };
  await writeH5ad(path, input);
  t.mock.timers.enable({ apis: ["Date"], now: Date.now() + 2_000 });
  const again = folder.path("again.h5ad");
  await writeH5ad(again, input);
  assert.ok(readFileSync(path).equals(readFileSync(again)));
});

test("a failed write leaves neither a file nor a temporary one", async () => {
  const target = folder.path("failed.h5ad");
  const bad = csr(counts(2, 3), 3);
  bad.indices[0] = 99;
  const cases: [AnnDataInput, RegExp][] = [
    [{ x: bad, obs: frame("c", 2), var: frame("g", 3) }, /columns must rise and be below 3/],
    [
      { x: csr(counts(2, 3), 3), obs: frame("c", 5), var: frame("g", 3) },
      /\/X has shape \[2,3\], obs and var say \[5,3\]/,
    ],
    [
      { obs: { index: ["a"], columns: { s: { kind: "string", values: [] } } }, var: frame("g", 0) },
      /\/obs\/s has 0 rows, the index has 1/,
    ],
    [
      { obs: { index: ["a"], columns: { "a/b": { kind: "string", values: ["x"] } } }, var: frame("g", 0) },
      /"a\/b" cannot be stored/,
    ],
    [{ obs: { index: ["\ud800"], columns: {} }, var: frame("g", 0) }, /half of a surrogate pair/],
    [
      {
        obs: { index: ["a"], columns: { ["x".repeat(70_000)]: { kind: "string", values: ["y"] } } },
        var: frame("g", 0),
      },
      /no name that HDF5 can hold/,
    ],
    [
      { obs: frame("c", 1), var: frame("g", 0), obsm: { p: { data: new Float32Array(3), shape: [1, 2] } } },
      /obsm\/p has 3 values/,
    ],
  ];
  for (const [input, message] of cases) {
    await assert.rejects(writeH5ad(target, input), { tag: "invalid-argument", message });
  }
  assert.equal(existsSync(target), false);
  assert.deepEqual(
    readdirSync(dirname(target)).filter((name) => name.endsWith(".tmp")),
    [],
  );
  await assert.rejects(
    writeH5ad(folder.path("no/such/folder.h5ad"), { obs: frame("c", 1), var: frame("g", 1) }),
    { tag: "write-failed" },
  );
  const fraction = csr([[0.5]], 1);
  const input: AnnDataInput = { x: fraction, obs: frame("c", 1), var: frame("g", 1) };
  await assert.rejects(writeH5ad(target, input, { xDtype: "int32" }), {
    message: /\/X\/data\[0\] = 0.5 does not fit int32/,
  });
});
