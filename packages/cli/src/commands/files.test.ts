import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { openAnnData } from "@cytomesh/anndata";
import { files } from "./files.ts";

const folder = await mkdtemp(join(tmpdir(), "cytomesh-cli-files-"));
after(() => rm(folder, { recursive: true }));

/** Runs a verb in this process. */
async function cytomesh(
  t: TestContext,
  name: string,
  ...args: string[]
): Promise<{ code: number; out: string }> {
  let out = "";
  const print = t.mock.method(process.stdout, "write", (text: string) => {
    out += text;
    return true;
  });
  try {
    await files.find((command) => command.name === name)!.run(args, new AbortController().signal);
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
    [0, "2 cells × 2 features, held against counts\n✔ satisfies counts\n"],
  );
  const list = join(folder, "genes.txt");
  await writeFile(list, "ENSG1\n");
  const bad = await cytomesh(t, "validate", h5ad, "--profile", "cas", "--gene-list", list, "--json");
  assert.equal(bad.code, 1);
  const codes = (JSON.parse(bad.out) as { code: string }[]).map(({ code }) => code);
  assert.ok(codes.includes("missing_column") && codes.includes("unknown_gene"), codes.join());
  await assert.rejects(
    cytomesh(t, "validate", h5ad, "--profile", "nope"),
    /no validation profile "nope"; there are minimal/,
  );
});
