import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { createH5, type H5Numbers, type H5Type, type H5Writer } from "@cytomesh/hdf5";
import { AnnDataError, openAnnData } from "./index.ts";
import { counts, csr, dense, opened, temporaryFolder, types } from "./test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);
const path = folder.path("file.h5ad");

async function make(build: (out: H5Writer) => void) {
  const out = createH5(path);
  build(out);
  out.finish();
  return opened(path);
}

function frames(out: H5Writer, nObs: number, nVar: number): void {
  for (const [where, prefix, length] of [
    ["/obs", "c", nObs],
    ["/var", "g", nVar],
  ] as const) {
    out.group(where);
    out.attribute(where, "_index", "_index");
    out.attribute(where, "column-order", { shape: [0], type: types.float64, values: new Float64Array(0) });
    out.dataset(
      `${where}/_index`,
      { type: types.strings, shape: [length] },
      Array.from({ length }, (_, i) => `${prefix}${i}`),
    );
  }
}

interface Sparse {
  attributes: Record<string, string>;
  shape: [number, number];
  indptr: H5Numbers;
  indices: H5Numbers;
  data: H5Numbers;
}

function typeOf(values: H5Numbers): H5Type {
  if (values instanceof Float32Array || values instanceof Float64Array)
    return { kind: "float", size: values.BYTES_PER_ELEMENT as 4 };
  return {
    kind: "int",
    size: values.BYTES_PER_ELEMENT as 4,
    signed: !values.constructor.name.includes("Uint"),
  };
}

function sparse(out: H5Writer, where: string, matrix: Sparse): void {
  out.group(where);
  for (const [name, value] of Object.entries(matrix.attributes)) out.attribute(where, name, value);
  const name = "h5sparse_format" in matrix.attributes ? "h5sparse_shape" : "shape";
  out.attribute(where, name, {
    shape: [2],
    type: types.int64,
    values: BigInt64Array.from(matrix.shape, BigInt),
  });
  for (const part of ["indptr", "indices", "data"] as const) {
    out.dataset(
      `${where}/${part}`,
      { type: typeOf(matrix[part]), shape: [matrix[part].length] },
      matrix[part],
    );
  }
}

const csrAttributes = { "encoding-type": "csr_matrix", "encoding-version": "0.1.0" };

test("a pre-0.7 file: compound obs and var, codes in obs with categories in uns, h5sparse X, raw.X, compound obsm", async () => {
  const file = await make((out) => {
    const record: H5Type = {
      kind: "compound",
      size: 13,
      members: [
        { name: "index", offset: 0, type: { kind: "string", size: 4, utf8: false } },
        { name: "louvain", offset: 4, type: types.int8 },
        { name: "score", offset: 5, type: types.float64 },
      ],
    };
    const rows = new Map<string, H5Numbers | string[]>([
      ["index", ["AA", "BB"]],
      ["louvain", Int8Array.of(1, -1)],
      ["score", Float64Array.of(0.5, 2)],
    ]);
    out.dataset("/obs", { type: record, shape: [2] }, rows);
    const name: H5Type = {
      kind: "compound",
      size: 8,
      members: [{ name: "index", offset: 0, type: { kind: "string", size: 8, utf8: false } }],
    };
    out.dataset("/var", { type: name, shape: [3] }, new Map([["index", ["g0", "g1", "g2"]]]));
    out.dataset("/raw.var", { type: name, shape: [1] }, new Map([["index", ["only"]]]));
    const old = { h5sparse_format: "csr" };
    sparse(out, "/X", {
      attributes: old,
      shape: [2, 3],
      indptr: Int32Array.of(0, 1, 3),
      indices: Int32Array.of(2, 0, 1),
      data: Float32Array.of(5, 1, 2),
    });
    sparse(out, "/raw.X", {
      attributes: old,
      shape: [2, 1],
      indptr: Int32Array.of(0, 0, 1),
      indices: Int32Array.of(0),
      data: Float32Array.of(9),
    });
    out.group("/uns");
    out.dataset("/uns/louvain_categories", { type: types.strings, shape: [2] }, ["zero", "one"]);
    const pca: H5Type = {
      kind: "compound",
      size: 8,
      members: [
        { name: "X_pca", offset: 0, type: { kind: "array", size: 8, dims: [2], base: types.float32 } },
      ],
    };
    out.dataset("/obsm", { type: pca, shape: [2] }, new Map([["X_pca", Float32Array.of(1, 2, 3, 4)]]));
  });
  assert.deepEqual(file.obs.index(), ["AA", "BB"]);
  assert.deepEqual(file.obs.columnNames, ["louvain", "score"]);
  assert.deepEqual(file.obs.column("louvain"), {
    kind: "categorical",
    codes: Int32Array.of(1, -1),
    categories: ["zero", "one"],
    ordered: false,
  });
  assert.deepEqual(file.obs.column("score"), {
    kind: "number",
    dtype: "float64",
    values: Float64Array.of(0.5, 2),
  });
  assert.deepEqual(dense(file.x!.rows(0, 2)), [
    [0, 0, 5],
    [1, 2, 0],
  ]);
  assert.deepEqual(file.raw?.var.index(), ["only"]);
  assert.deepEqual(dense(file.raw!.x.rows(0, 2)), [[0], [9]]);
  assert.deepEqual(file.obsm("X_pca"), { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] });
});

test("a 0.7 file: categories under __categories, raw as a group", async () => {
  const file = await make((out) => {
    frames(out, 2, 1);
    out.group("/obs/__categories");
    out.dataset("/obs/__categories/batch", { type: types.int64, shape: [2] }, BigInt64Array.of(10n, 20n));
    out.attribute("/obs/__categories/batch", "ordered", true);
    out.dataset("/raw_codes", { type: types.int8, shape: [2] }, Int8Array.of(1, 0));
    out.hardLink("/obs/batch", "/raw_codes");
    out.group("/raw");
    out.hardLink("/raw/var", "/var");
    out.dataset("/raw/X", { type: types.float32, shape: [2, 1] }, Float32Array.of(0, 3));
  });
  // column-order of the fixture is empty: columns are then not listed, as in anndata.
  assert.deepEqual(file.obs.columnNames, []);
  assert.deepEqual(dense(file.raw!.x.rows(0, 2)), [[0], [3]]);
});

test("categories of numbers and booleans become strings", async () => {
  const file = await make((out) => {
    out.group("/obs");
    out.attribute("/obs", "_index", "index");
    out.attribute("/obs", "column-order", { shape: [2], type: types.strings, values: ["batch", "score"] });
    out.dataset("/obs/index", { type: types.int64, shape: [2] }, BigInt64Array.of(7n, 8n));
    out.group("/obs/__categories");
    out.dataset("/obs/__categories/batch", { type: types.int64, shape: [2] }, BigInt64Array.of(10n, 20n));
    out.attribute("/obs/__categories/batch", "ordered", true);
    out.dataset("/obs/batch", { type: types.int8, shape: [2] }, Int8Array.of(1, 0));
    out.group("/obs/score");
    out.attribute("/obs/score", "encoding-type", "categorical");
    out.attribute("/obs/score", "ordered", false);
    out.dataset("/obs/score/codes", { type: types.int8, shape: [2] }, Int8Array.of(0, 1));
    out.dataset("/obs/score/categories", { type: types.float64, shape: [2] }, Float64Array.of(1, 0.25));
    out.dataset(
      "/var",
      {
        type: {
          kind: "compound",
          size: 2,
          members: [{ name: "index", offset: 0, type: { kind: "string", size: 2, utf8: false } }],
        },
        shape: [0],
      },
      new Map([["index", []]]),
    );
  });
  assert.deepEqual(file.obs.index(), ["7", "8"]);
  assert.deepEqual(file.obs.column("batch"), {
    kind: "categorical",
    codes: Int32Array.of(1, 0),
    categories: ["10", "20"],
    categoryValues: { kind: "number", dtype: "int64", values: Float64Array.of(10, 20) },
    ordered: true,
  });
  assert.deepEqual(file.obs.column("score"), {
    kind: "categorical",
    codes: Int32Array.of(0, 1),
    categories: ["1.0", "0.25"],
    categoryValues: { kind: "number", dtype: "float64", values: Float64Array.of(1, 0.25) },
    ordered: false,
  });
  // By rows.
  assert.deepEqual(file.obs.index(1, 2), ["8"]);
  const second = file.obs.column("batch", 1, 2);
  assert.ok(second.kind === "categorical");
  assert.deepEqual([...second.codes], [0]);
  assert.deepEqual(file.obs.column("score", 0, 0).kind, "categorical");
  assert.throws(() => file.obs.column("score", 1, 3), { tag: "invalid-argument" });
});

test("CSC, dense and CSR with 64-bit, unsorted and duplicate indices give the same rows", async () => {
  const rows = [
    [0, 2, 3],
    [0, 0, 0],
    [4, 0, 5],
  ];
  const variants: ((out: H5Writer) => void)[] = [
    (out) =>
      out.dataset(
        "/X",
        { type: types.float64, shape: [3, 3], deflate: { level: 1 }, chunkRows: 2 },
        Float64Array.from(rows.flat()),
      ),
    (out) =>
      sparse(out, "/X", {
        attributes: csrAttributes,
        shape: [3, 3],
        indptr: BigInt64Array.of(0n, 3n, 3n, 5n),
        indices: BigInt64Array.of(2n, 1n, 2n, 2n, 0n),
        data: Float64Array.of(1, 2, 2, 5, 4),
      }),
    (out) =>
      sparse(out, "/X", {
        attributes: { ...csrAttributes, "encoding-type": "csc_matrix" },
        shape: [3, 3],
        indptr: Int32Array.of(0, 1, 2, 4),
        indices: Int32Array.of(2, 0, 2, 0),
        data: Float64Array.of(4, 2, 5, 3),
      }),
    (out) =>
      sparse(out, "/X", {
        attributes: { ...csrAttributes, "encoding-type": "csc_matrix" },
        shape: [3, 3],
        indptr: Int32Array.of(0, 1, 2, 5),
        indices: Int32Array.of(2, 0, 2, 0, 0),
        data: Float64Array.of(4, 2, 5, 1, 2),
      }),
  ];
  for (const write of variants) {
    const file = await make((out) => {
      frames(out, 3, 3);
      write(out);
    });
    assert.deepEqual(file.x!.shape, [3, 3]);
    assert.deepEqual(file.x!.rows(0, 3), { ...csr(rows, 3), data: Float64Array.of(2, 3, 4, 5) });
    assert.deepEqual(dense(file.x!.rows(1, 3)), rows.slice(1));
    assert.deepEqual(dense(file.x!.rows(1, 1)), []);
    assert.throws(() => file.x!.rows(2, 4), { tag: "invalid-argument" });
    assert.throws(() => [...file.x!.batches(0)], { tag: "invalid-argument" });
  }
});

test("integers are read exactly: small ones as float32, wide ones as float64, beyond 2^53 not at all", async () => {
  const x = (data: H5Numbers) => (out: H5Writer) => {
    frames(out, 1, 1);
    sparse(out, "/X", {
      attributes: csrAttributes,
      shape: [1, 1],
      indptr: Int32Array.of(0, 1),
      indices: Int32Array.of(0),
      data,
    });
  };
  const small = await make(x(Uint16Array.of(65_535)));
  assert.deepEqual(small.x!.rows(0, 1).data, Float32Array.of(65_535));
  const wide = await make(x(Int32Array.of(2 ** 24 + 1)));
  assert.deepEqual(wide.x!.rows(0, 1).data, Float64Array.of(2 ** 24 + 1));
  const huge = await make(x(BigInt64Array.of(2n ** 60n)));
  assert.throws(() => huge.x!.rows(0, 1), { tag: "unsupported", message: /beyond ±2\^53/ });
});

test("a matrix that contradicts itself says where", async () => {
  const good = {
    attributes: csrAttributes,
    shape: [2, 3] as [number, number],
    indptr: Int32Array.of(0, 1, 2),
    indices: Int32Array.of(0, 1),
    data: Float32Array.of(1, 2),
  };
  const cases: [Partial<Sparse>, string, RegExp][] = [
    [{ indices: Int32Array.of(0, 9999) }, "invalid", /\/X\/indices\[1\] = 9999 but var has 3 genes/],
    [{ indices: Int32Array.of(0, -1) }, "invalid", /\/X\/indices\[1\] = -1/],
    [{ indptr: Int32Array.of(0, 2, 1) }, "invalid", /\/X\/indptr\[2\] = 1 after 2/],
    [{ indptr: Int32Array.of(0, 1, 5) }, "invalid", /\/X\/indptr\[2\] = 5, but there are 2 entries/],
    [{ indptr: Int32Array.of(0, 2) }, "invalid", /\/X\/indptr has 2 entries, expected 3/],
    [{ data: Float32Array.of(1) }, "invalid", /\/X\/indices has 2 entries, \/X\/data has 1/],
    [{ shape: [2, 7] }, "wrong-length", /\/X has shape \[2, 7\], expected \[2, 3\]/],
    [{ attributes: {} }, "invalid", /without encoding-type or h5sparse_format/],
    [{ attributes: { "encoding-type": "coo" } }, "unsupported", /has encoding "coo"/],
  ];
  for (const [change, tag, message] of cases) {
    const file = await make((out) => {
      frames(out, 2, 3);
      sparse(out, "/X", { ...good, ...change });
    });
    assert.throws(() => file.x?.rows(0, 2), { tag, message });
  }
});

test("what is not AnnData is named", async () => {
  const cases: [(out: H5Writer) => void, RegExp][] = [
    [(out) => out.group("/mod"), /MuData/],
    [(out) => out.group("/obs"), /\/var missing; the file holds obs/],
  ];
  for (const [build, message] of cases) await assert.rejects(make(build), { tag: "not-anndata", message });
  writeFileSync(path, "<html>");
  await assert.rejects(
    openAnnData(path),
    (error) => error instanceof AnnDataError && error.tag === "not-hdf5" && error.httpStatus === 400,
  );
});

test("uns is bounded: cycles are cut, links out are null, big arrays are a summary", async () => {
  const file = await make((out) => {
    frames(out, 1, 1);
    out.group("/uns");
    out.softLink("/uns/loop", "/uns");
    out.externalLink("/uns/out", "/etc/hostname", "/");
    out.dataset("/uns/big", { type: types.float32, shape: [50, 40] }, new Float32Array(2_000));
    out.dataset("/uns/pair", { type: types.float64, shape: [2, 2] }, Float64Array.of(1, Number.NaN, 3, 4));
    out.group("/uns/deep");
    out.dataset("/uns/deep/one", { type: types.int64, shape: [] }, BigInt64Array.of(1n));
    out.hardLink("/uns/twin", "/uns/deep");
  });
  const uns = file.uns() as Record<string, unknown>;
  assert.equal(uns.loop, null);
  assert.equal(uns.out, null);
  assert.deepEqual(uns.big, { shape: [50, 40], dtype: "float32" });
  assert.deepEqual(uns.pair, [
    [1, null],
    [3, 4],
  ]);
  assert.deepEqual([uns.deep, uns.twin], [{ one: 1 }, { one: 1 }]);
  assert.ok(JSON.stringify(uns).length < 10_000);
});

test("links out of the file are refused wherever data is read", async () => {
  const file = await make((out) => {
    frames(out, 1, 1);
    out.externalLink("/X", "/tmp/other.h5ad", "/X");
  });
  assert.throws(() => file.x, { tag: "refused-link", message: /\/X is an external link/ });
});

test("a closed file says so", async () => {
  const file = await make((out) => {
    frames(out, 2, 2);
    out.dataset("/X", { type: types.float32, shape: [2, 2] }, Float32Array.from(counts(2, 2).flat()));
  });
  const x = file.x!;
  file.close();
  file.close();
  assert.throws(() => x.rows(0, 1), { tag: "closed" });
});
