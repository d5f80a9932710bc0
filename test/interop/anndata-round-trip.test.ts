import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type TestContext, test } from "node:test";
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

function compare(pairs: readonly (readonly [string, string])[], interpreter: string): Answer[] {
  const out = execFileSync(interpreter, [script, ...pairs.flat()], {
    encoding: "utf8",
    maxBuffer: 1 << 26,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}

/** Copies every file, and every modality of those that have several. */
async function copyAll(folder: string): Promise<[string, string][]> {
  const pairs: [string, string][] = [];
  for (const from of [...filesOf("omics"), ...filesOf("golden", "nexus")]) {
    const to = join(folder, basename(from));
    await copyAnnData(from, to);
    pairs.push([from, to]);
  }
  for (const [name, modalities] of Object.entries(modalitiesOf)) {
    for (const modality of modalities) {
      const from = join(data, "omics", name);
      const to = join(folder, `${name}-${modality}.h5ad`);
      await copyAnnData(from, to, { group: `/mod/${modality}` });
      pairs.push([`${from}:/mod/${modality}`, to]);
    }
  }
  return pairs;
}

const modalitiesOf = {
  "multiome_rna_atac.h5mu": ["rna", "atac"],
  "mudata_v0.3.10_axis0.h5mu": ["mod1", "mod2"],
};

function assertEqual(
  t: TestContext,
  pairs: readonly (readonly [string, string])[],
  interpreter: string,
): void {
  const answers = compare(pairs, interpreter);
  for (const [i, [from]] of pairs.entries()) {
    const { differences, unreadable } = answers[i]!;
    if (unreadable !== undefined) t.diagnostic(`${basename(from)}: anndata cannot read it: ${unreadable}`);
    else assert.deepEqual(differences, [], from);
  }
}

test("every file, copied, reads in anndata as the original does: values, dtypes, categories, index, encodings", {
  skip: skipReason(),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-round-trip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pairs = await copyAll(folder);
  await t.test("today's anndata", (t) => assertEqual(t, pairs, python!));
  const old = process.env.CYTOMESH_PYTHON_ANNDATA_08;
  const skip = old === undefined && "CYTOMESH_PYTHON_ANNDATA_08 is not set";
  await t.test("anndata 0.8", { skip }, (t) => assertEqual(t, pairs, old!));
});

test("every encoding that today's anndata writes is copied as it is", {
  skip: python === undefined && "CYTOMESH_PYTHON is not set",
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-round-trip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const from = join(folder, "every.h5ad");
  const to = join(folder, "copy.h5ad");
  execFileSync(python!, [join(import.meta.dirname, "anndata_every.py"), from], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await copyAnnData(from, to);
  assertEqual(t, [[from, to]], python!);
});

test("what is no AnnData is refused, with what to do instead", { skip: skipReason() }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cytomesh-round-trip-"));
  t.after(() => rmSync(folder, { recursive: true }));
  await assert.rejects(
    copyAnnData(join(data, "omics", "multiome_rna_atac.h5mu"), join(folder, "out.h5ad")),
    (error: unknown) =>
      error instanceof AnnDataError && error.tag === "not-anndata" && /"\/mod\/rna"/.test(error.message),
  );
  assert.deepEqual(readdirSync(folder), []);
});
