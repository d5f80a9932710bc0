import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { AnnDataError, copyAnnData } from "@cytomesh/anndata";

const python = process.env.CYTOMESH_PYTHON;
const data = process.env.CYTOMESH_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");
const script = join(import.meta.dirname, "anndata_compare.py");

function skipReason(): string | false {
  if (python === undefined) return "CYTOMESH_PYTHON is not set";
  return existsSync(join(data, "omics")) ? false : "shared data not present";
}

function filesOf(...folder: string[]): string[] {
  const path = join(data, ...folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((name) => name.endsWith(".h5ad"))
    .map((name) => join(path, name));
}

interface Answer {
  differences?: string[];
  unreadable?: string;
}

function compare(pairs: readonly (readonly [string, string])[]): Answer[] {
  const out = execFileSync(python!, [script, ...pairs.flat()], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}

test("every file, copied, reads in anndata as the original does: values, dtypes, categories, index, encodings", {
  skip: skipReason(),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-round-trip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pairs: [string, string][] = [];
  for (const from of [...filesOf("omics"), ...filesOf("golden", "nexus")]) {
    const to = join(folder, basename(from));
    try {
      await copyAnnData(from, to);
      pairs.push([from, to]);
    } catch (error) {
      if (!(error instanceof AnnDataError && error.tag === "unsupported")) throw error;
      t.diagnostic(error.message);
    }
  }
  const answers = compare(pairs);
  for (const [i, [from]] of pairs.entries()) {
    const { differences, unreadable } = answers[i]!;
    if (unreadable !== undefined) t.diagnostic(`${basename(from)}: anndata cannot read it: ${unreadable}`);
    else assert.deepEqual(differences, [], basename(from));
  }
});

test("what is no AnnData is refused, with what to do instead", { skip: skipReason() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-round-trip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ["multiome_rna_atac.h5mu", "scp_test.loom"]) {
    const refusal = (error: unknown) => error instanceof AnnDataError && error.tag === "not-anndata";
    await assert.rejects(copyAnnData(join(data, "omics", name), join(folder, "out.h5ad")), refusal, name);
  }
  assert.deepEqual(readdirSync(folder), []);
});
