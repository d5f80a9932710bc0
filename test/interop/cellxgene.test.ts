import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { openAnnData, validateAnnData } from "@cytomesh/anndata";

const run = promisify(execFile);
/** An interpreter with cellxgene-schema 7.1.2 (pip install cellxgene-schema==7.1.2): 1 GB with its ontologies, so CI goes without. */
const python = process.env.CYTOMESH_PYTHON_CELLXGENE;

interface Case {
  name: string;
  path: string;
  errors: string[];
  warnings: string[];
}

/** What CZI's validator finds and ours does not, or the other way round, and why. */
const knownToThem = new Map([
  ["term that does not exist", "we have no ontologies"],
  ["term of another branch", "we have no ontologies"],
]);
const knownToUs = new Map([
  ["cell_type_ontology_term_id missing", "theirs takes files before analysis, which have none, in any case"],
]);

test("files that are right, or wrong in one way, are judged as CZI's own validator judges them", async (t) => {
  if (python === undefined) return t.skip("CYTOMESH_PYTHON_CELLXGENE is not set");
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-cellxgene-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = join(import.meta.dirname, "cellxgene.py");
  // It takes most of a second per file.
  const parts = await Promise.all(
    ["0", "1"].map((part) =>
      run(python, [script, folder, part, "2"], { encoding: "utf8", maxBuffer: 1 << 26 }),
    ),
  );
  const cases = parts.flatMap(({ stdout }) =>
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Case),
  );
  assert.ok(cases.length > 180, `${cases.length} files`);
  for (const { name, path, errors, warnings } of cases) {
    using file = await openAnnData(path);
    const found = validateAnnData(file, "cellxgene-7.1");
    const ours = found.filter(({ severity }) => severity === "error");
    const said = `${name}: theirs ${JSON.stringify(errors)}, ours ${JSON.stringify(ours)}`;
    if (name.startsWith("right")) assert.equal(errors.length, 0, said);
    if (knownToThem.has(name)) assert.equal(ours.length, 0, said);
    else if (knownToUs.has(name)) assert.ok(errors.length === 0 && ours.length > 0, said);
    else assert.equal(ours.length > 0, errors.length > 0, said);
    if (errors.length > 0) continue;
    // Theirs warns of every assay that is in its list, too.
    const theirs = warnings.filter((warning) => !/only has \d+ rows|suspension_type' schema/.test(warning));
    const warned = found.filter(({ severity, code }) => severity === "warning" && code !== "few_genes");
    assert.equal(warned.length > 0, theirs.length > 0, `${name}: ${JSON.stringify({ theirs, warned })}`);
  }
});
