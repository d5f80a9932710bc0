import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { createH5 } from "@cytomesh/hdf5";
import { createH5adSeed, mtxSeed, walkAnnData, writeMtx } from "../../../bench/fuzz/anndata-subject.ts";
import { repairChecksums, signatures } from "../../../bench/fuzz/hdf5-subject.ts";
import { marksOf, mutate, randomFrom } from "../../../bench/fuzz/mutate.ts";
import { copyAnnData } from "./index.ts";
import { temporaryFolder } from "./test-fixtures.ts";

const folder = temporaryFolder();
after(folder.remove);
const tempDir = folder.path("tmp");
mkdirSync(tempDir);

for (const layout of ["csr", "csc"] as const)
  test(`damaged .h5ad files with ${layout} matrices are refused by name, or read, and leave nothing behind`, async () => {
    const [good, target] = [folder.path("good.h5ad"), folder.path("bad.h5ad")];
    await createH5adSeed(good, layout);
    assert.equal(await walkAnnData(good, tempDir), "read");
    const original = new Uint8Array(readFileSync(good));
    const marks = marksOf(original, signatures);
    for (let mutant = 0; mutant < 120; mutant++) {
      const random = randomFrom(7_000 + mutant);
      const { bytes, what } = mutate(original, random, { marks });
      if (random() < 0.5) repairChecksums(bytes, original);
      writeFileSync(target, bytes);
      const result = await walkAnnData(target, tempDir);
      assert.ok(!result.startsWith("untyped"), `${what}: ${result}`);
    }
    assert.deepEqual(readdirSync(tempDir), []);
  });

test("damaged Matrix Market triples are refused by name, or read, and leave nothing behind", async () => {
  const target = folder.path("mtx");
  for (let mutant = 0; mutant < 200; mutant++) {
    const random = randomFrom(9_000 + mutant);
    const [name, text] = Object.entries(mtxSeed)[mutant % 3] as [string, string];
    const { bytes, what } = mutate(Buffer.from(text), random);
    rmSync(target, { recursive: true, force: true });
    writeMtx(target, name, bytes, random() < 0.3);
    const result = await walkAnnData(target, tempDir);
    assert.ok(!result.startsWith("untyped"), `${name}: ${what}: ${result}`);
  }
  assert.deepEqual(readdirSync(tempDir), []);
});

test("groups that double with every level are not copied for hours", async () => {
  const path = folder.path("doubling.h5ad");
  const file = createH5(path);
  for (const part of ["/obs", "/var"]) {
    file.group(part);
    file.attribute(part, "encoding-type", "dataframe");
    file.attribute(part, "encoding-version", "0.2.0");
    file.attribute(part, "_index", "_index");
    file.attribute(part, "column-order", {
      type: { kind: "string", size: "variable", utf8: true },
      shape: [0],
      values: [],
    });
    file.dataset(`${part}/_index`, { type: { kind: "string", size: "variable", utf8: true }, shape: [1] }, [
      "a",
    ]);
  }
  file.group("/uns");
  file.group("/uns/level0");
  for (let level = 1; level < 40; level++) {
    file.group(`/uns/level${level}`);
    for (const side of ["left", "right"])
      file.hardLink(`/uns/level${level}/${side}`, `/uns/level${level - 1}`);
  }
  file.finish();
  await assert.rejects(copyAnnData(path, folder.path("copy.h5ad")), {
    tag: "too-large",
    message: /more than \d{2,4} elements; do links repeat them\?/,
  });
});
