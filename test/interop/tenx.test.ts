import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type AnnData, type Column, openAnnData } from "@cytomesh/anndata";

const python = process.env.CYTOMESH_PYTHON;
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");

/** Every 10x matrix, Matrix Market folder and loom file of the sample data, and how the peer reads it. */
const files = [
  ["h5", "tenx/pbmc_1k_v2_filtered_feature_bc_matrix.h5"],
  ["h5", "tenx/cr3.0_filtered_feature_bc_matrix.h5"],
  ["h5", "tenx/visium_filtered_feature_bc_matrix.h5"],
  ["genomes", "tenx/cr1.2_filtered_gene_bc_matrices_h5.h5"],
  ["genomes", "tenx/cr1.2_multiple_genomes.h5"],
  ["mtx", "tenx/cr1.2_filtered_gene_bc_matrices/hg19_chr21"],
  ["mtx", "tenx/cr3.0_filtered_feature_bc_matrix"],
  ["mtx", "tenx/pbmc_1k_v2_filtered_feature_bc_matrix"],
  ["mtx", "tenx/int-ids"],
  ["mtx", "tenx/scp_5k_cells_80_genes"],
  ["mtx", "tenx/solo_Gene_filtered"],
  ["loom", "omics/scp_test.loom"],
] as const;

const sha = (...parts: (string | NodeJS.TypedArray)[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};
const names = (values: readonly (string | null)[]) => sha(values.join("\0"));

function dump(file: AnnData) {
  const column: Column = file.var.has("gene_symbols")
    ? file.var.column("gene_symbols")
    : { kind: "string", values: file.var.index() };
  const rows = file.x!.rows(0, file.nObs);
  return {
    shape: [file.nObs, file.nVar],
    obs: names(file.obs.index()),
    var: names(file.var.index()),
    symbols: names(column.kind === "string" ? column.values : []),
    x: sha(BigInt64Array.from(rows.indptr, BigInt), rows.indices, Float64Array.from(rows.data)),
  };
}

test("10x files, Matrix Market triples and loom are read as scanpy and h5py read them", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON not set");
  if (!existsSync(join(data, "tenx"))) return t.skip("shared data not present");
  const script = join(import.meta.dirname, "tenx.py");
  const answer = execFileSync(
    python,
    [script, ...files.map(([kind, name]) => `${kind}:${join(data, name)}`)],
    {
      maxBuffer: 2 ** 26,
    },
  );
  const expected = JSON.parse(answer.toString()) as unknown[];
  for (const [i, [, name]] of files.entries()) {
    using file = await openAnnData(join(data, name));
    assert.deepEqual(dump(file), expected[i], name);
  }
});

test("a tarball holds what its folder holds", async (t) => {
  const path = join(data, "tenx/scvi_filtered_gene_bc_matrices_neuron_9k.tar.gz");
  if (!existsSync(path)) return t.skip("shared data not present");
  using file = await openAnnData(path);
  assert.deepEqual([file.nObs, file.nVar, file.x?.nnz], [50, 10, 438]);
});
