import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const python = process.env.CYTOMESH_PYTHON;
const data = process.env.CYTOMESH_TEST_DATA ?? join(root, "../shared/data");
const counts = join(data, "omics/pbmc3k_2638x13714_counts.h5ad");
const obo = join(data, "ontology/cl-basic.obo");
const skip =
  python === undefined
    ? "CYTOMESH_PYTHON is not set"
    : existsSync(counts) && existsSync(obo)
      ? false
      : "shared data not present";

test("pbmc3k: bins equal the source cell by cell, calls equal an independent vote, labels are recovered", {
  skip,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), "cytomesh-real-"));
  const script = join(import.meta.dirname, "real_data.py");
  const py = async (...args: string[]) =>
    JSON.parse(
      (await run(python as string, [script, ...args], { timeout: 120_000 })).stdout
        .trim()
        .split("\n")
        .at(-1) ?? "",
    ) as Record<string, number>;
  try {
    const sizes = await py("split", counts, dir);
    const report = join(dir, "report");
    const demo = [
      join(root, "packages/cli/src/main.ts"),
      ...["demo", "--input", join(dir, "reference.h5ad"), "--query", join(dir, "query.h5ad")],
      ...["--ontology", obo, "--data-dir", join(dir, "mesh"), "--report", report],
    ];
    await run(process.execPath, demo, { timeout: 170_000, env: { ...process.env, NODE_OPTIONS: "" } });
    const checked = await py("check", dir, join(dir, "mesh/store"), report);
    assert.equal(checked.cells, sizes.query);
    // Cells whose neighbours tie to the last bits may fall either way.
    assert.ok(
      (checked.agreeing ?? 0) >= (sizes.query ?? 0) - 2,
      `${checked.agreeing} of ${sizes.query} calls agree with numpy`,
    );
    assert.ok((checked.accuracy ?? 0) > 0.85, `accuracy ${checked.accuracy}`);
    const { results } = JSON.parse(readFileSync(join(report, "report.json"), "utf8")) as {
      results: { strategy: string; score: { compatible: number; cells: number } }[];
    };
    const aware = results.find((one) => one.strategy === "ontology-aware");
    assert.ok(
      aware !== undefined && aware.score.compatible / aware.score.cells > 0.85,
      JSON.stringify(aware?.score),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
