import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { prepareCurriculum, readFeatures } from "@cytomesh/omics-store";
import { createTaskPool, type TaskPool } from "@cytomesh/service-kit";
import { makeWorld } from "../testing/world.ts";
import type { WrittenBin } from "./extract-task.ts";
import { writeBins } from "./write-bins.ts";

const tasks = new URL("./tasks.ts", import.meta.url);
const pools = new Map<number, TaskPool>();
let world: Awaited<ReturnType<typeof makeWorld>>;
let ingestDirs: string[];
let curriculumDir: string;

before(async () => {
  world = await makeWorld();
  const kind = { name: "kind", type: "string" } as const;
  // More than a page of cells each, so that threads share them.
  await world.addIngest({ id: "ing-a", genes: ["g3", "g1", "g2"], cells: 700, obs: [kind] });
  await world.addIngest({ id: "ing-b", genes: ["g2", "g4", "g2"], cells: 500, obs: [kind] });
  ingestDirs = ["ing-a", "ing-b"].map((id) => world.local(world.layout.ingest("d", id)));
  curriculumDir = join(world.tempDir, "curriculum");
  const request = {
    filters: {},
    features: ["g1", "g2", "g4"],
    binSize: 250,
    seed: 7,
    obsColumns: ["kind", "n_counts"],
  };
  await prepareCurriculum({ ingestDirs, outDir: curriculumDir, request });
});
after(async () => {
  for (const pool of pools.values()) await pool.close();
  await world.close();
});

function poolOf(threads: number): TaskPool {
  const pool = pools.get(threads) ?? createTaskPool(tasks, { threads });
  pools.set(threads, pool);
  return pool;
}

async function written(threads: number, memoryBytes: number): Promise<{ bins: WrittenBin[]; cells: number }> {
  const outDir = join(world.tempDir, `bins-${threads}-${memoryBytes}`);
  await mkdir(outDir);
  const bins: WrittenBin[] = [];
  let cells = 0;
  await writeBins(poolOf(threads), {
    ingestDirs,
    curriculumDir,
    bins: [0, 1, 2, 3, 4],
    features: await readFeatures(curriculumDir),
    outDir,
    memoryBytes,
    lineage: { curriculum: "c", manifestSha256: "0".repeat(64), seed: 7 },
    onBin: (bin) => bins.push(bin),
    onCells: (more) => {
      cells += more;
    },
  });
  await rm(outDir, { recursive: true });
  return { bins: bins.sort((a, b) => a.bin - b.bin), cells };
}

test("bins are the same bytes from any number of threads and any memory", async () => {
  const bytes = ({ bins }: { bins: WrittenBin[] }) => bins.map(({ bin, sha256 }) => [bin, sha256]);
  const alone = await written(1, 64 * 1024 * 1024);
  assert.deepEqual(
    alone.bins.map(({ cells }) => cells),
    [250, 250, 250, 250, 200],
  );
  assert.equal(alone.cells, 1200);
  // One bin at a time, in the room of the one before.
  for (const [threads, memoryBytes] of [
    [3, 64 * 1024 * 1024],
    [3, 1],
    [1, 1],
  ] as const) {
    const other = await written(threads, memoryBytes);
    assert.deepEqual(bytes(other), bytes(alone));
    assert.equal(other.cells, 1200);
  }
});

test("a damaged ingest fails all threads with its own error, and the next extraction works", async () => {
  const path = join(ingestDirs[1]!, "cells-00000.parquet");
  const sound = await readFile(path);
  const damaged = Buffer.from(sound);
  // All pages; the footer says where they are and stays.
  const footer = sound.readUInt32LE(sound.length - 8) + 8;
  for (let at = 4; at < sound.length - footer; at++) damaged[at] = damaged[at]! ^ 0xff;
  await writeFile(path, damaged);
  await assert.rejects(written(3, 64 * 1024 * 1024 + 1), { tag: "corrupt" });
  await writeFile(path, sound);
  const again = await written(3, 64 * 1024 * 1024 + 2);
  assert.equal(again.bins.length, 5);
});
