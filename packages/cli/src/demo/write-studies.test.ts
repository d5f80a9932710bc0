import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { CsrRows } from "@cytomesh/anndata";
import { openAnnData } from "@cytomesh/anndata";
import { validateResource } from "@cytomesh/ontology";
import { logNormalize } from "./counts.ts";
import { demoOntology } from "./demo-ontology.ts";
import { transpose } from "./h5ad-layouts.ts";
import { generateStudies } from "./studies.ts";
import { writeStudies } from "./write-studies.ts";

const dir = mkdtempSync(join(tmpdir(), "cytomesh-demo-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const studies = generateStudies(3, { studies: 4, cellsPerStudy: 40, queryCells: 15, genes: 300 });
const files = await writeStudies(join(dir, "a"), studies);

function entries(x: CsrRows): unknown {
  return { indptr: [...x.indptr], indices: [...x.indices], data: [...x.data] };
}

test("every layout reads back as the counts and columns it was made of", async (t) => {
  const paths = [...files.references, ...files.queries];
  assert.equal(paths.length, studies.length);
  for (const [s, study] of studies.entries()) {
    const file = await openAnnData(paths[s]!);
    t.after(() => file.close());
    const counts = study.layout === "raw" ? file.raw!.x : file.x!;
    assert.equal(counts.format, study.layout === "raw" ? "csr" : study.layout);
    assert.equal(counts.dtype, "float32");
    assert.deepEqual(entries(counts.rows(0, file.nObs)), entries(study.x), study.name);
    if (study.layout === "raw") {
      assert.deepEqual(entries(file.x!.rows(0, file.nObs)), entries(logNormalize(study.x)));
      assert.deepEqual(file.raw!.var.index(), study.var.index);
    }
    for (const [frame, table] of [
      [file.obs, study.obs],
      [file.var, study.var],
    ] as const) {
      assert.deepEqual(frame.index(), table.index);
      assert.deepEqual(frame.columnNames, Object.keys(table.columns));
      for (const name of frame.columnNames) assert.deepEqual(frame.column(name), table.columns[name], name);
    }
    assert.deepEqual(file.uns(), study.uns);
  }
});

test("the same studies give byte-identical files", async () => {
  const again = generateStudies(3, { studies: 4, cellsPerStudy: 40, queryCells: 15, genes: 300 });
  await writeStudies(join(dir, "b"), again);
  await writeStudies(join(dir, "b"), again);
  const hashes = (name: string): string[] =>
    readdirSync(join(dir, name))
      .sort()
      .map(
        (file) =>
          `${file} ${createHash("sha256")
            .update(readFileSync(join(dir, name, file)))
            .digest("hex")}`,
      );
  assert.deepEqual(hashes("b"), hashes("a"));
  assert.equal(hashes("a").length, 8);
});

test("the truth table names the cells of the query file in order", () => {
  const query = studies.find((study) => study.role === "query")!;
  const [header, ...rows] = readFileSync(files.queryTruths[0]!, "utf8").trimEnd().split("\n");
  assert.equal(header, "cell_id,cell_type_ontology_term_id,cell_type");
  assert.deepEqual(
    rows.map((row) => row.split(",").slice(0, 2)),
    query.obs.index.map((cell, row) => [cell, query.truth[row]]),
  );
});

test("the ontology beside the studies is the demo's", () => {
  const resource = validateResource(JSON.parse(readFileSync(files.ontologyResource, "utf8")));
  assert.deepEqual(resource, demoOntology().resource);
  assert.match(readFileSync(files.ontologyObo, "utf8"), /^format-version: 1\.2\n/);
});

test("an aborted run stops before the next file", async () => {
  const target = join(dir, "aborted");
  await assert.rejects(writeStudies(target, studies, { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
  assert.deepEqual(readdirSync(target), []);
});

test("transposing twice gives the matrix back", () => {
  const { x } = studies[0]!;
  assert.deepEqual(transpose(transpose(x)), x);
});
