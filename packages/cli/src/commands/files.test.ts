import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { openAnnData, writeH5ad } from "@cytomesh/anndata";
import { createH5 } from "@cytomesh/hdf5";
import { convert, validate } from "./files.ts";

const folder = await mkdtemp(join(tmpdir(), "cytomesh-cli-files-"));
after(() => rm(folder, { recursive: true }));

/** Runs a verb in this process. */
async function cytomesh(
  t: TestContext,
  verb: "convert" | "validate",
  ...args: string[]
): Promise<{ code: number; out: string }> {
  let out = "";
  const print = t.mock.method(process.stdout, "write", (text: string) => {
    out += text;
    return true;
  });
  try {
    await { convert, validate }[verb].run(args, new AbortController().signal);
    return { code: Number(process.exitCode ?? 0), out };
  } finally {
    process.exitCode = 0;
    print.mock.restore();
  }
}

test("a Matrix Market folder is converted to zarr and on to .h5ad, and validated", async (t) => {
  const mtx = join(folder, "mtx");
  await mkdir(mtx);
  await writeFile(
    join(mtx, "matrix.mtx"),
    "%%MatrixMarket matrix coordinate integer general\n2 2 2\n1 1 5\n2 2 1\n",
  );
  await writeFile(join(mtx, "barcodes.tsv"), "A\nB\n");
  await writeFile(join(mtx, "genes.tsv"), "ENSG1\tx\nENSG2\ty\n");
  const [zarr, h5ad] = [join(folder, "a.zarr.zip"), join(folder, "a.h5ad")];
  assert.deepEqual(await cytomesh(t, "convert", mtx, zarr), { code: 0, out: "" });
  assert.equal((await cytomesh(t, "convert", zarr, h5ad, "--compression", "none")).code, 0);
  using file = await openAnnData(h5ad);
  assert.deepEqual(
    [file.obs.index(), file.var.index(), [...file.x!.rows(0, 2).data]],
    [
      ["A", "B"],
      ["ENSG1", "ENSG2"],
      [5, 1],
    ],
  );
  await assert.rejects(cytomesh(t, "convert", mtx, h5ad), /is there already; --overwrite/);
  assert.equal((await cytomesh(t, "convert", mtx, h5ad, "--overwrite")).code, 0);
  await assert.rejects(
    cytomesh(t, "convert", mtx, join(folder, "a.csv")),
    /expected \.h5ad, \.zarr or \.zarr\.zip/,
  );

  const good = await cytomesh(t, "validate", mtx, "--profile", "counts");
  assert.deepEqual(
    [good.code, good.out],
    [0, `${mtx}: 2 cells × 2 features, held against counts\n✔ satisfies counts\n`],
  );
  const list = join(folder, "genes.txt");
  await writeFile(list, "ENSG1\n");
  const bad = await cytomesh(t, "validate", h5ad, "--profile", "cas", "--gene-list", list, "--json");
  assert.equal(bad.code, 1);
  const { problems, ...head } = JSON.parse(bad.out) as { problems: { code: string }[] };
  assert.deepEqual(head, { file: h5ad, profile: "cas", valid: false, cells: 2, features: 2 });
  const codes = problems.map(({ code }) => code);
  assert.ok(codes.includes("missing_column") && codes.includes("unknown_gene"), codes.join());
  await assert.rejects(
    cytomesh(t, "validate", h5ad, "--profile", "nope"),
    /no validation profile "nope"; there are minimal/,
  );
});

test("several files are validated in turn; one that cannot be read, or is wrong, does not hide the others", async (t) => {
  const x = {
    nRows: 2,
    nCols: 1,
    indptr: Float64Array.of(0, 1, 1),
    indices: Int32Array.of(0),
    data: Float32Array.of(1),
  };
  const [good, twice] = [join(folder, "good.h5ad"), join(folder, "twice.h5ad")];
  await writeH5ad(good, { x, obs: { index: ["a", "b"], columns: {} }, var: { index: ["g"], columns: {} } });
  await writeH5ad(twice, { x, obs: { index: ["a", "a"], columns: {} }, var: { index: ["g"], columns: {} } });
  const none = join(folder, "none.h5ad");
  const told = await cytomesh(t, "validate", none, twice, good);
  assert.equal(told.code, 1);
  assert.match(
    told.out,
    /^✖ .*none\.h5ad.*\n.*twice\.h5ad: 2 cells × 1 features, held against minimal\n✖ obs\/_index: 1 of/,
  );
  assert.match(told.out, /✔ satisfies minimal\n$/);
  const lines = (await cytomesh(t, "validate", none, twice, good, "--json")).out.trimEnd().split("\n");
  assert.deepEqual(
    lines
      .map((line) => JSON.parse(line))
      .map(({ file, valid, problems }) => [file, valid, problems[0]?.code]),
    [
      [none, false, "file-not-found"],
      [twice, false, "duplicate_obs_name"],
      [good, true, undefined],
    ],
  );
  assert.equal((await cytomesh(t, "validate", good)).code, 0);
  await assert.rejects(cytomesh(t, "validate"), { tag: "usage" });
});

test("a modality of MuData is validated and converted on its own, and asked for where none is named", async (t) => {
  const mudata = join(folder, "two.h5mu");
  const rna = join(folder, "a.h5ad");
  const file = createH5(mudata);
  const text = { kind: "string", size: "variable", utf8: true } as const;
  const frame = (path: string, index: string[]) => {
    file.group(path);
    file.attribute(path, "encoding-type", "dataframe");
    file.attribute(path, "encoding-version", "0.2.0");
    file.attribute(path, "_index", "_index");
    file.attribute(path, "column-order", { type: text, shape: [0], values: [] });
    file.dataset(`${path}/_index`, { type: text, shape: [index.length] }, index);
  };
  file.group("/mod");
  file.group("/mod/rna");
  for (const at of ["", "/mod/rna"]) {
    frame(`${at}/obs`, ["c1", "c2"]);
    frame(`${at}/var`, ["ENSG1"]);
  }
  file.dataset("/mod/rna/X", { type: { kind: "float", size: 4 }, shape: [2, 1] }, Float32Array.of(1, 2));
  file.finish();
  await assert.rejects(cytomesh(t, "convert", mudata, rna, "--overwrite"), /\/mod\/rna.*--modality NAME/);
  assert.match((await cytomesh(t, "validate", mudata)).out, /--modality NAME/);
  assert.match((await cytomesh(t, "validate", mudata, "--modality", "rna")).out, /2 cells × 1 features/);
  assert.equal((await cytomesh(t, "convert", mudata, rna, "--overwrite", "--modality", "rna")).code, 0);
  using made = await openAnnData(rna);
  assert.deepEqual(made.obs.index(), ["c1", "c2"]);
});
