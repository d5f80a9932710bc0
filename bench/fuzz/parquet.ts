// Seeded mutants of cells files: each gives a typed error or exactly what was written. `node bench/fuzz/parquet.ts [MUTANTS] [--seed N]`
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OmicsStoreError, scanMatrix } from "../../packages/omics-store/src/index.ts";
import { type TestIngest, writeIngest } from "../../packages/omics-store/src/test-tables.ts";
import { mutate, randomFrom } from "./mutate.ts";
import { fuzzArguments } from "./run.ts";

const { count, seed } = fuzzArguments(20_000);

const ingest = (countsType: "int32" | "float32"): TestIngest => ({
  id: "i",
  cellIdStart: 0,
  featureIdStart: 100,
  genes: Array.from({ length: 300 }, (_, i) => `g${i}`),
  schema: [{ name: "kind", type: "string" }],
  countsType,
  cells: Array.from({ length: 60 }, (_, i) => ({
    original: `c${i}`,
    obs: { kind: `k${i % 5}` },
    entries: Array.from({ length: (i * 7) % 90 }, (_, k): [number, number] => [k * 3 + (i % 3), 1 + (k % 9)]),
  })),
});

async function contents(dir: string): Promise<string> {
  const parts: unknown[] = [];
  await scanMatrix(dir, ({ firstCellId, offsets, featureIds, counts }) => {
    parts.push([firstCellId, [...offsets], [...featureIds], [...counts]]);
  });
  return JSON.stringify(parts);
}

const root = await mkdtemp(join(tmpdir(), "fuzz-parquet-"));
const random = randomFrom(seed);
const seen = { refused: 0, same: 0 };
let slowestMs = 0;
try {
  const kinds = [
    ["int32", "delta"],
    ["int32", "plain"],
    ["float32", "delta"],
  ] as const;
  for (const [countsType, encoding] of kinds) {
    const dir = join(root, `${countsType}-${encoding}`);
    await writeIngest(dir, ingest(countsType), 1000, { encoding, pageCells: 8, rowGroupBytes: 1500 });
    const path = join(dir, "cells-00000.parquet");
    const original = await readFile(path);
    const expected = await contents(dir);
    const marks = Array.from({ length: 24 }, (_, i) => Math.max(0, original.length - 64 * (i + 1)));
    const manifest = JSON.parse(await readFile(join(dir, "manifest.json"), "utf8")) as {
      files: { bytes: number }[];
    };
    for (let i = 0; i < count / kinds.length; i++) {
      const { bytes, what } = mutate(original, random, { marks });
      await writeFile(path, bytes);
      // The manifest's size would refuse cut and extended files before they are looked into.
      manifest.files[0]!.bytes = bytes.length;
      await writeFile(join(dir, "manifest.json"), JSON.stringify(manifest));
      const start = performance.now();
      try {
        if ((await contents(dir)) !== expected)
          throw new Error(`mutant ${i} of ${dir} (${what}) was read as something else`);
        seen.same++;
      } catch (error) {
        if (!(error instanceof OmicsStoreError && error.tag === "corrupt")) throw error;
        seen.refused++;
      }
      slowestMs = Math.max(slowestMs, performance.now() - start);
    }
  }
  console.log(
    `${seen.refused + seen.same} mutants, seed ${seed}: ${seen.refused} refused as corrupt, ${seen.same} read as written, slowest ${slowestMs.toFixed(0)} ms`,
  );
} finally {
  await rm(root, { recursive: true, force: true });
}
