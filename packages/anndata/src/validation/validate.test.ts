import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createH5, type H5Type } from "@cytomesh/hdf5";
import { AnnDataError, openAnnData, runIsolated, validateAnnData, writeH5ad } from "../index.ts";
import { counts, csr, frame, opened, temporaryFolder } from "../test-fixtures.ts";
import type { AnnDataInput } from "../types.ts";

const folder = temporaryFolder();
after(folder.remove);
const path = folder.path("file.h5ad");
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../../../shared/data");

async function problems(input: AnnDataInput, profile = "counts"): Promise<string[]> {
  await writeH5ad(path, input, { xDtype: "float64" });
  const file = await opened(path);
  return validateAnnData(file, profile).map((problem) => `${problem.code} ${problem.where}`);
}

test("counts pass, and everything wrong is listed at once", async () => {
  const good: AnnDataInput = { x: csr(counts(6, 4), 4), obs: frame("c", 6), var: frame("g", 4) };
  assert.deepEqual(await problems(good), []);
  const x = csr(
    [
      [1.5, -2],
      [Number.NaN, Number.POSITIVE_INFINITY],
    ],
    2,
  );
  const bad: AnnDataInput = {
    x,
    obs: { index: ["a", "a"], columns: {} },
    var: { index: ["g", ""], columns: {} },
  };
  assert.deepEqual(await problems(bad), [
    "duplicate_obs_name obs/_index",
    "empty_name var/_index",
    "not_finite X",
    "negative_count X",
    "non_integer_count X",
  ]);
  assert.deepEqual(await problems(bad, "minimal"), [
    "duplicate_obs_name obs/_index",
    "empty_name var/_index",
    "not_finite X",
  ]);
});

test("normalised data cannot pass as counts", async () => {
  const values = counts(200, 5).map((row) => row.map((value) => Math.log1p(value)));
  const found = await problems({ x: csr(values, 5), obs: frame("c", 200), var: frame("g", 5) });
  assert.deepEqual(found, ["non_integer_count X"]);
});

test("what cannot be read in uns is told, each entry by its path", async () => {
  const target = folder.path("links.h5ad");
  const file = createH5(target);
  const text: H5Type = { kind: "string", size: "variable", utf8: true };
  for (const part of ["/obs", "/var"]) {
    file.group(part);
    file.attribute(part, "encoding-type", "dataframe");
    file.attribute(part, "encoding-version", "0.2.0");
    file.attribute(part, "_index", "_index");
    file.attribute(part, "column-order", { type: text, shape: [0], values: [] });
    file.dataset(`${part}/_index`, { type: text, shape: [1] }, ["a"]);
  }
  file.dataset("/X", { type: { kind: "float", size: 4 }, shape: [1, 1] }, Float32Array.of(1));
  file.attribute("/X", "encoding-type", "array");
  file.attribute("/X", "encoding-version", "0.2.0");
  file.group("/uns");
  file.group("/uns/inner");
  file.dataset("/uns/fine", { type: text, shape: [] }, ["text"]);
  file.softLink("/uns/inner/up", "/uns");
  file.softLink("/uns/inner/nowhere", "/gone");
  file.externalLink("/uns/out", "/etc/passwd", "/");
  file.finish();
  const found = validateAnnData(await opened(target), "minimal");
  assert.deepEqual(
    found.map(({ code, where }) => `${code} ${where}`),
    ["uns/inner/nowhere", "uns/inner/up", "uns/out"].map((where) => `unreadable ${where}`),
  );
});

test("missing X, no cells and no genes are found", async () => {
  assert.deepEqual(await problems({ obs: frame("c", 0), var: frame("g", 0) }), [
    "no_cells obs",
    "no_genes var",
    "missing_x X",
  ]);
  assert.deepEqual(await problems({ obs: frame("c", 1), var: frame("g", 1) }, "raw_counts"), [
    "missing_x raw/X",
  ]);
});

test("a file is vetted in a worker of its own", async () => {
  await writeH5ad(path, {
    x: csr(counts(6, 4), 4),
    obs: frame("c", 6),
    var: frame("g", 4),
    layers: { a: csr(counts(6, 4), 4) },
  });
  const report = await runIsolated(path, "validate", { profile: "counts" });
  assert.deepEqual(report.problems, []);
  assert.deepEqual([report.nObs, report.nVar, report.layers, report.x?.format], [6, 4, ["a"], "csr"]);
  await assert.rejects(runIsolated(folder.path("none.h5ad"), "inspect"), { tag: "file-not-found" });
});

test("a reader that takes too long is stopped, and so is one nobody waits for", async () => {
  await assert.rejects(runIsolated(path, "inspect", { timeoutMs: 1 }), (error) => {
    return (
      error instanceof AnnDataError &&
      error.tag === "reader-timeout" &&
      error.grpcCode === "deadline_exceeded"
    );
  });
  await assert.rejects(runIsolated(path, "inspect", { signal: AbortSignal.abort() }), { tag: "cancelled" });
  const controller = new AbortController();
  const running = runIsolated(path, "inspect", { signal: controller.signal });
  controller.abort();
  await assert.rejects(running, { tag: "cancelled" });
});

test("every damaged file is refused, or its damage is listed", async (t) => {
  const corrupt = join(data, "corrupt");
  if (!existsSync(corrupt)) return t.skip("shared data not present");
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(corrupt, "h5ad"))) {
    try {
      const file = await opened(join(corrupt, "h5ad", name));
      file.uns();
      found[name] = validateAnnData(file, "minimal")
        .map((problem) => `${problem.code} ${problem.where}`)
        .join(", ");
    } catch (error) {
      assert.ok(error instanceof AnnDataError, `${name}: ${(error as Error).stack}`);
      found[name] = error.tag;
    }
  }
  assert.deepEqual(found, {
    "bytes_flipped.h5ad": "corrupt",
    "categorical_code_out_of_range.h5ad": "unreadable obs/groups",
    "csr_index_out_of_range.h5ad": "unreadable X",
    "csr_indptr_not_monotonic.h5ad": "unreadable X",
    "csr_shape_mismatch.h5ad": "wrong_length X",
    "html_error_page.h5ad": "not-hdf5",
    "obs_column_wrong_length.h5ad": "wrong_length obs/nCount_RNA",
    "obs_index_invalid_utf8.h5ad": "unreadable obs/_index",
    "obs_missing.h5ad": "not-anndata",
    "png_named.h5ad": "not-hdf5",
    "truncated_60pct.h5ad": "truncated",
    "uns_self_softlink.h5ad": "unreadable uns/loop",
    "x_nan_inf.h5ad": "not_finite X",
    "x_no_encoding_attrs.h5ad": "unreadable X",
    "zero_bytes.h5ad": "not-hdf5",
  });
});

test("HDF5 regression files end in a typed error", async (t) => {
  const corrupt = join(data, "corrupt");
  if (!existsSync(corrupt)) return t.skip("shared data not present");
  for (const part of ["hdf5_cve", "hdf5_other"]) {
    for (const name of readdirSync(join(corrupt, part))) {
      await assert.rejects(openAnnData(join(corrupt, part, name)), AnnDataError);
    }
  }
});
