import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { createH5adSeed, mtxSeed, walkAnnData, writeMtx } from "../../../bench/fuzz/anndata-subject.ts";
import { repairChecksums, signatures } from "../../../bench/fuzz/hdf5-subject.ts";
import { marksOf, mutate, randomFrom } from "../../../bench/fuzz/mutate.ts";
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
