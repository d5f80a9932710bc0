import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createH5, type H5Values } from "@cytomesh/hdf5";
import { copyAnnData, geneExpressionOf, takeColumns, takeFrame } from "../index.ts";
import { dense, opened, temporaryFolder, types } from "../test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);
let made = 0;

type Content = Record<
  string,
  {
    type: (typeof types)[keyof typeof types] | { kind: "string"; size: number; utf8: boolean };
    values: H5Values;
    shape?: number[];
  }
>;

function write(groups: readonly string[], content: Content): string {
  const path = folder.path(`${made++}.h5`);
  const out = createH5(path);
  for (const group of groups) out.group(group);
  for (const [where, { type, values, shape }] of Object.entries(content))
    out.dataset(where, { type, shape: shape ?? [(values as string[]).length] }, values as string[]);
  out.finish();
  return path;
}

const fixed = { kind: "string", size: 18, utf8: false } as const;
const strings = (...values: string[]) => ({ type: fixed, values });
const int32 = (...values: number[]) => ({ type: types.int32, values: Int32Array.from(values) });
const int64 = (...values: number[]) => ({ type: types.int64, values: BigInt64Array.from(values, BigInt) });

test("features with ids alone have these as names", async () => {
  const path = write(["/matrix", "/matrix/features"], {
    "/matrix/barcodes": strings("AAA-1"),
    "/matrix/data": int32(5),
    "/matrix/indices": int64(1),
    "/matrix/indptr": int64(0, 1),
    "/matrix/shape": int32(2, 1),
    "/matrix/features/id": strings("ENSG1", "ENSG2"),
  });
  const symbols = (await opened(path)).var.column("gene_symbols");
  assert.deepEqual(symbols.kind === "string" ? symbols.values : symbols, ["ENSG1", "ENSG2"]);
});

test("Cell Ranger 3 and later: cells as rows, features with what is known of them", async () => {
  const path = write(["/matrix", "/matrix/features"], {
    "/matrix/barcodes": strings("AAA-1", "CCC-1"),
    "/matrix/data": int32(5, 1, 7),
    "/matrix/indices": int64(0, 2, 1),
    "/matrix/indptr": int64(0, 2, 3),
    "/matrix/shape": int32(3, 2),
    "/matrix/features/id": strings("ENSG1", "ENSG2", "CD3"),
    "/matrix/features/name": strings("A", "A", "CD3"),
    "/matrix/features/feature_type": strings("Gene Expression", "Gene Expression", "Antibody Capture"),
    "/matrix/features/genome": strings("GRCh38", "GRCh38", ""),
    "/matrix/features/_all_tag_keys": strings("genome"),
  });
  const file = await opened(path);
  assert.deepEqual(file.obs.index(), ["AAA-1", "CCC-1"]);
  assert.deepEqual(file.var.index(), ["ENSG1", "ENSG2", "CD3"]);
  assert.deepEqual(file.var.columnNames.toSorted(), ["feature_types", "gene_symbols", "genome"]);
  assert.deepEqual([file.x?.format, file.x?.nnz, file.layers.size, file.raw], ["csr", 3, 0, undefined]);
  assert.deepEqual(dense(file.x!.rows(0, 2)), [
    [5, 0, 1],
    [0, 7, 0],
  ]);
  const keep = geneExpressionOf(file.var);
  assert.deepEqual([...(keep ?? [])], [0, 1]);
  assert.deepEqual(dense(takeColumns(file.x!, keep!).rows(0, 2)), [
    [5, 0],
    [0, 7],
  ]);
  const genes = takeFrame(file.var, keep!);
  assert.deepEqual([genes.length, genes.index(1)], [2, ["ENSG2"]]);
  assert.equal(geneExpressionOf(genes), undefined, "nothing but genes is left");
  assert.throws(() => takeColumns(file.x!, Int32Array.of(1, 0)), { tag: "invalid-argument" });
});

test("what is laid out as AnnData can be copied to .h5ad", async () => {
  const path = write(["/hg19"], genome("hg19", ["A", "B"], ["G1", "G2"], [[1], [0, 1]]));
  const copy = folder.path("copy.h5ad");
  await copyAnnData(path, copy);
  const [from, to] = [await opened(path), await opened(copy)];
  assert.deepEqual(to.obs.index(), from.obs.index());
  assert.deepEqual(to.var.column("genome"), from.var.column("genome"));
  assert.deepEqual([to.x?.dtype, to.x?.rows(0, 2)], ["int32", from.x?.rows(0, 2)]);
});

const genome = (name: string, barcodes: string[], genes: string[], at: number[][]): Content => ({
  [`/${name}/barcodes`]: strings(...barcodes),
  [`/${name}/genes`]: strings(...genes),
  [`/${name}/gene_names`]: strings(...genes.map((gene) => gene.toLowerCase())),
  [`/${name}/data`]: int32(...at.flat().map((_, i) => i + 1)),
  [`/${name}/indices`]: int64(...at.flat()),
  [`/${name}/indptr`]: int64(0, ...at.map((_, i) => at.slice(0, i + 1).flat().length)),
  [`/${name}/shape`]: int32(genes.length, barcodes.length),
});

test("Cell Ranger 2: one genome as it stands, several side by side", async () => {
  const one = await opened(write(["/hg19"], genome("hg19", ["A", "B"], ["G1", "G2"], [[1], [0, 1]])));
  assert.deepEqual(dense(one.x!.rows(0, 2)), [
    [0, 1],
    [2, 3],
  ]);
  assert.deepEqual(one.var.column("genome"), { kind: "string", values: ["hg19", "hg19"] });
  const both = await opened(
    write(["/hg19", "/mm10"], {
      ...genome("hg19", ["A", "B"], ["G1", "G2"], [[1], [0, 1]]),
      ...genome("mm10", ["B", "C"], ["M1"], [[0], [0]]),
    }),
  );
  assert.deepEqual(both.obs.index(), ["A", "B", "C"]);
  assert.deepEqual(both.var.index(), ["G1", "G2", "M1"]);
  assert.deepEqual(dense(both.x!.rows(0, 3)), [
    [0, 1, 0],
    [2, 3, 1],
    [0, 0, 2],
  ]);
});

test("lists that do not fit the shape are refused", async () => {
  const content = genome("hg19", ["A", "B"], ["G1", "G2"], [[1], [0]]);
  await assert.rejects(opened(write(["/hg19"], { ...content, "/hg19/shape": int32(2, 3) })), {
    tag: "wrong-length",
    message: /2 barcodes, but shape says 3/,
  });
  const outside = await opened(write(["/hg19"], { ...content, "/hg19/indices": int64(1, 9) }));
  assert.throws(() => outside.x!.rows(0, 2), { tag: "invalid", message: /9/ });
});

test("loom: genes × cells is turned round", async () => {
  const path = write(["/row_attrs", "/col_attrs", "/layers", "/row_graphs", "/col_graphs"], {
    "/matrix": { type: types.float32, shape: [2, 3], values: Float32Array.of(1, 2, 3, 4, 5, 6) },
    "/layers/spliced": { type: types.int32, shape: [2, 3], values: Int32Array.of(0, 0, 1, 1, 0, 0) },
    "/row_attrs/Gene": strings("A", "A"),
    "/row_attrs/Accession": strings("ENSG1", "ENSG2"),
    "/col_attrs/CellID": strings("x", "y", "z"),
    "/col_attrs/Cluster": int32(4, 5, 6),
    "/col_attrs/X_umap": { type: types.float32, shape: [3, 2], values: Float32Array.of(0, 1, 2, 3, 4, 5) },
  });
  const file = await opened(path);
  assert.deepEqual(
    [file.obs.index(), file.var.index(), file.var.columnNames],
    [["x", "y", "z"], ["ENSG1", "ENSG2"], ["Gene"]],
  );
  assert.deepEqual(dense(file.x!.rows(1, 3)), [
    [2, 5],
    [3, 6],
  ]);
  assert.deepEqual(dense(file.layers.get("spliced")!.rows(0, 3)), [
    [0, 1],
    [0, 0],
    [1, 0],
  ]);
  assert.deepEqual([...file.obsm("X_umap").data], [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(file.obs.column("Cluster"), {
    kind: "number",
    dtype: "int32",
    values: Int32Array.of(4, 5, 6),
  });
});
