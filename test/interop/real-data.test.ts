import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { toUri } from "@cytomesh/object-store";
import { startMesh, unusedPorts } from "../../packages/cli/src/mesh/start-mesh.ts";

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

test("pbmc3k: bins equal the source, calls equal an independent vote, labels are recovered, the CAS client agrees", {
  skip,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), "cytomesh-real-"));
  const dataDir = join(dir, "mesh");
  const py = async (script: string, ...args: string[]) => {
    const { stdout } = await run(python as string, [join(import.meta.dirname, script), ...args], {
      timeout: 150_000,
      maxBuffer: 64 * 1024 * 1024,
    });
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as unknown;
  };
  const mesh = await startMesh({ dataDir, ports: await unusedPorts(), logLevel: "silent" });
  try {
    const sizes = (await py("real_data.py", "split", counts, dir)) as { query: number };
    const report = join(dir, "report");
    const query = join(dir, "query.h5ad");
    const demo = [
      join(root, "packages/cli/src/main.ts"),
      ...[
        "demo",
        "--api",
        mesh.edgeAddress,
        "--http",
        mesh.httpUrl,
        "--store",
        toUri(join(dataDir, "store")),
      ],
      ...["--input", join(dir, "reference.h5ad"), "--query", query, "--ontology", obo, "--report", report],
    ];
    await run(process.execPath, demo, { timeout: 150_000 });

    const checked = (await py("real_data.py", "check", dir, join(dataDir, "store"), report)) as Record<
      string,
      number
    >;
    assert.equal(checked.cells, sizes.query);
    // Cells whose neighbours tie to the last bits may fall either way.
    assert.ok(
      (checked.agreeing ?? 0) >= sizes.query - 2,
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

    const client = (await py("cas_client.py", mesh.httpUrl, query, "--chunk-size", "200")) as Record<
      string,
      CasPart
    >;
    assert.equal((client as { missing?: unknown }).missing, undefined, JSON.stringify(client));
    for (const [part, { ok, error }] of Object.entries(client)) assert.ok(ok !== false, `${part}: ${error}`);
    for (const part of Object.values(client))
      if (part.with_answers !== undefined) assert.equal(part.with_answers, part.cells?.length);
  } finally {
    await mesh.stop();
    rmSync(dir, { recursive: true, force: true });
  }
});

interface CasPart {
  ok?: boolean;
  error?: string;
  cells?: string[];
  with_answers?: number;
}
