import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { openAnnData } from "@cytomesh/anndata";
import { CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import { FeatureDerivation, type PrepareSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { attempt, type JobRun, newJobRun } from "@cytomesh/jobs/testing";
import { getJson, joinUri } from "@cytomesh/object-store";
import { openBin, parseBinsManifest, readCurriculum } from "@cytomesh/omics-store";
import { makeWorld, pool } from "../testing/world.ts";
import type { ExtractDeps } from "./deps.ts";
import { extractHandler } from "./extract-job.ts";
import { prepareHandler } from "./prepare-job.ts";
import { countMatching, getCells, listValues } from "./queries.ts";

type World = Awaited<ReturnType<typeof makeWorld>>;

const worlds: World[] = [];
after(async () => {
  await pool.close();
  for (const world of worlds) await world.close();
});

const kind = { name: "kind", type: "string" } as const;
const donor = { name: "donor", type: "string" } as const;
const first = { id: "ing-a", genes: ["g3", "g1", "g2"], cells: 7, obs: [kind, donor] };
const second = { id: "ing-b", genes: ["g2", "g4", "g2"], cells: 5, obs: [kind] };

async function freshWorld(): Promise<World> {
  const world = await makeWorld();
  worlds.push(world);
  await world.addIngest(first);
  await world.addIngest(second);
  return world;
}

type PrepareInit = MessageInitShape<typeof PrepareSpecSchema>;
interface Prepared {
  cells: bigint;
  bins: number;
  features: number;
  lastBinCells: number;
}
interface Extracted {
  binsWritten: number;
  binsPresent: number;
  cells: bigint;
}

const prepare = (
  deps: ExtractDeps,
  spec: PrepareInit,
  run?: JobRun,
  o?: Parameters<typeof attempt>[3],
): Promise<Prepared> => {
  const value = { curriculum: "c", dataset: "d", binSize: 5, ...spec };
  return attempt(prepareHandler(deps), { case: "prepare", value }, run, o) as Promise<Prepared>;
};
const extract = (
  deps: ExtractDeps,
  bins: number[] = [],
  run?: JobRun,
  jobId = "job-x",
): Promise<Extracted> => {
  const value = { curriculum: "c", bins };
  return attempt(extractHandler(deps), { case: "extract", value }, run, { jobId }) as Promise<Extracted>;
};

const stateOf = (world: World) => world.curricula.get("c")?.state;

async function binFiles(world: World): Promise<Record<string, string>> {
  const dir = world.local(world.layout.bins("c"));
  const names = (await readdir(dir)).filter((name) => name.endsWith(".h5ad")).sort();
  const hashed = names.map(async (name) => [name, sha256(await readFile(join(dir, name)))]);
  return Object.fromEntries(await Promise.all(hashed));
}
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

test("features are the union or the intersection of the ingests, sorted, each once", async () => {
  const world = await freshWorld();
  const union = await prepare(world.deps, {});
  assert.deepEqual(world.schemas.get("c"), ["g1", "g2", "g3", "g4"]);
  assert.deepEqual([union.cells, union.bins, union.features, union.lastBinCells], [12n, 3, 4, 2]);
  await prepare(world.deps, { curriculum: "shared", deriveFeatures: FeatureDerivation.INTERSECTION });
  assert.deepEqual(world.schemas.get("shared"), ["g2"]);
  world.schemas.set("mine", ["g4", "g9", "g1"]);
  await prepare(world.deps, { curriculum: "named", featureSchema: "mine" });
  assert.equal(world.curricula.get("named")?.featureSchema, "mine");
  assert.equal(world.schemas.has("named"), false);
  await world.addIngest({ ...first, id: "ing-c", genes: ["h"] });
  await assert.rejects(
    prepare(world.deps, { curriculum: "none", deriveFeatures: FeatureDerivation.INTERSECTION }, newJobRun(), {
      jobId: "job-2",
    }),
    { tag: "no-shared-features" },
  );
  assert.deepEqual(await readdir(world.tempDir), []);
});

test("bins carry where a cell came from and its total, and by default what every ingest has", async () => {
  const world = await freshWorld();
  await prepare(world.deps, {});
  const carried = ["original_cell_id", "ingest_id", "n_counts"];
  assert.deepEqual(world.curricula.get("c")?.obsColumns, [...carried, "kind"]);
  await prepare(world.deps, { curriculum: "asked", obsColumns: ["donor", "n_counts"] });
  assert.deepEqual(world.curricula.get("asked")?.obsColumns, [...carried, "donor"]);
});

test("a request that cannot be met leaves no feature schema and no curriculum behind", async () => {
  const world = await freshWorld();
  for (const [spec, tag] of [
    [{ filters: { nothing__eq: 1 } }, "unknown_column"],
    [{ filters: { kind__eq: "no such kind" } }, "no_cells"],
    [{ seed: 2n ** 60n }, "invalid_request"],
    [{ obsColumns: ["nope"] }, "unknown_column"],
    [{ dataset: "empty" }, "no-ingests"],
  ] as [PrepareInit, string][])
    await assert.rejects(prepare(world.deps, spec), { tag });
  assert.equal(world.schemas.size + world.curricula.size, 0);
  // Mended, the same name works although the dataset has grown meanwhile.
  await world.addIngest({ ...second, id: "ing-c", genes: ["new"] });
  await prepare(world.deps, {}, newJobRun(), { jobId: "job-2" });
  assert.deepEqual(world.schemas.get("c"), ["g1", "g2", "g3", "g4", "new"]);
  assert.deepEqual(await readdir(world.tempDir), []);
});

test("another attempt prepares from the ingests that the first one saw", async () => {
  const world = await freshWorld();
  const dying: ExtractDeps = {
    ...world.deps,
    catalog: { ...world.deps.catalog, registerCurriculum: () => Promise.reject(new Error("killed")) },
  };
  await assert.rejects(prepare(dying, {}), /killed/);
  await world.addIngest({ ...first, id: "ing-late" });
  const again = await prepare(world.deps, {});
  assert.equal(again.cells, 12n);
  assert.deepEqual(world.curricula.get("c")?.ingestIds, ["ing-a", "ing-b"]);
  // Another job sees what there is now, and may not take the name.
  await assert.rejects(prepare(world.deps, {}, newJobRun(), { jobId: "job-2" }), {
    tag: "curriculum-exists",
  });
  const fresh = await prepare(world.deps, { curriculum: "c2" }, newJobRun(), { jobId: "job-3" });
  assert.equal(fresh.cells, 19n);
});

test("a curriculum of another request under the same name stays what it was", async () => {
  const world = await freshWorld();
  await prepare(world.deps, { seed: 1n });
  const before = world.curricula.get("c");
  await assert.rejects(prepare(world.deps, { seed: 2n }), { tag: "curriculum-exists" });
  assert.deepEqual(world.curricula.get("c"), before);
  await prepare(world.deps, { seed: 1n });
  assert.equal(world.curricula.get("c")?.manifestSha256, before?.manifestSha256);
});

test("every bin is written with its checksum, lineage and totals; the curriculum becomes EXTRACTED", async () => {
  const world = await freshWorld();
  await prepare(world.deps, { seed: 4n });
  const run = newJobRun();
  const result = await extract(world.deps, [], run);
  assert.deepEqual([result.binsWritten, result.binsPresent, result.cells], [3, 0, 12n]);
  assert.deepEqual([...run.items.keys()].sort(), ["bin-000000", "bin-000001", "bin-000002"]);
  assert.deepEqual([run.expected, run.progress.at(-1)?.done], [3, 12]);
  assert.equal(stateOf(world), CurriculumState.EXTRACTED);
  const uri = joinUri(world.layout.bins("c"), "manifest.json");
  const manifest = parseBinsManifest(await getJson(world.deps.store, uri), uri);
  const curriculum = await readCurriculum(world.local(world.layout.curriculum("c")));
  assert.deepEqual(
    manifest.bins.map((bin) => bin.bin),
    [0, 1, 2],
  );
  assert.deepEqual(
    manifest.bins.map((bin) => bin.cells),
    curriculum.bins.map((bin) => bin.cells),
  );
  const seen: [number, number][] = [];
  for (const { bin, file, sha256: sum, nnz } of manifest.bins) {
    const path = join(world.local(world.layout.bins("c")), file);
    using reader = await openBin(path, sum);
    reader.cellIds.forEach((id, row) => void seen.push([id, reader.totals[row] ?? Number.NaN]));
    using whole = await openAnnData(path);
    assert.equal(whole.x?.nnz, nnz);
    const { manifestSha256 } = world.curricula.get("c") ?? {};
    assert.deepEqual(whole.uns(), { cytomesh: { curriculum: "c", manifestSha256, seed: 4, bin } });
  }
  const totals = [...Array(7).keys(), ...Array(5).keys()].map((i) => i + 1);
  assert.deepEqual(
    seen.sort(([a], [b]) => a - b),
    totals.map((total, id) => [id, total]),
  );
  assert.deepEqual(await readdir(world.tempDir), []);
});

test("bins written by several jobs add up: some, then the rest, and the curriculum is EXTRACTED", async () => {
  const world = await freshWorld();
  await prepare(world.deps, {});
  const some = await extract(world.deps, [2, 0, 2], newJobRun(), "job-some");
  assert.deepEqual([some.binsWritten, some.cells], [2, 7n]);
  assert.equal(stateOf(world), CurriculumState.PREPARED);
  const rest = await extract(world.deps, [1], newJobRun(), "job-rest");
  assert.deepEqual([rest.binsWritten, rest.binsPresent], [1, 0]);
  assert.equal(stateOf(world), CurriculumState.EXTRACTED);
  const files = await binFiles(world);
  // A job over all of them finds all of them.
  const all = await extract(world.deps, [], newJobRun(), "job-all");
  assert.deepEqual([all.binsWritten, all.binsPresent], [0, 3]);
  // The bins are those that one job would have written.
  const calm = await freshWorld();
  await prepare(calm.deps, {});
  await extract(calm.deps);
  assert.deepEqual(await binFiles(calm), files);
  await assert.rejects(extract(world.deps, [0, 3, 9]), {
    tag: "no-such-bin",
    message: /bins 3, 9 do not exist; .*0 to 2/,
  });
});

test("another attempt writes only the bins that are missing; naming a bin repairs it", async () => {
  const world = await freshWorld();
  await prepare(world.deps, {});
  const run = newJobRun();
  const controller = new AbortController();
  const stopping = attempt(extractHandler(world.deps), { case: "extract", value: { curriculum: "c" } }, run, {
    signal: controller.signal,
    onRecord: () => controller.abort(new Error("shutdown")),
  });
  await assert.rejects(stopping, /shutdown/);
  assert.deepEqual(await readdir(world.tempDir), []);
  const before = run.items.size;
  assert.ok(before >= 1);
  const resumed = await extract(world.deps, [], run);
  assert.equal(resumed.binsWritten + resumed.binsPresent, 3);
  assert.ok(resumed.binsPresent >= 1);
  const files = await binFiles(world);
  const dir = world.local(world.layout.bins("c"));
  // Lost or cut short: seen by its size.
  await rm(join(dir, "extract_1.h5ad"));
  await truncate(join(dir, "extract_2.h5ad"), 100);
  assert.equal((await extract(world.deps, [], run)).binsWritten, 2);
  assert.deepEqual(await binFiles(world), files);
  // Damaged within: only its checksum tells, so that a job names it.
  const damaged = await readFile(join(dir, "extract_0.h5ad"));
  damaged[2_000] = (damaged[2_000] ?? 0) ^ 0xff;
  await writeFile(join(dir, "extract_0.h5ad"), damaged);
  assert.equal((await extract(world.deps, [0], newJobRun(), "job-repair")).binsWritten, 1);
  assert.deepEqual(await binFiles(world), files);
  assert.equal(stateOf(world), CurriculumState.EXTRACTED);
});

test("an upload that fails fails the job with its cause and leaves no temporary files", async () => {
  const world = await freshWorld();
  await prepare(world.deps, {});
  const full: ExtractDeps = {
    ...world.deps,
    store: { ...world.deps.store, putFile: () => Promise.reject(new Error("the bucket is full")) },
  };
  await assert.rejects(extract(full), /the bucket is full/);
  assert.deepEqual(await readdir(world.tempDir), []);
  assert.equal(stateOf(world), CurriculumState.PREPARED);
});

test("questions about a dataset: counts, values with the most frequent first, cells by id", async () => {
  const world = await freshWorld();
  const signal = AbortSignal.timeout(60_000);
  assert.equal(await countMatching(world.deps, "d", { kind__eq: "kind 0" }, signal), 5);
  assert.equal(await countMatching(world.deps, "d", undefined, signal), 12);
  const ask = { dataset: "d", column: "kind", prefix: "", limit: 0 };
  assert.deepEqual(await listValues(world.deps, ask, signal), [
    { value: "kind 0", cells: 5 },
    { value: "kind 1", cells: 4 },
    { value: "kind 2", cells: 3 },
  ]);
  assert.deepEqual(await listValues(world.deps, { ...ask, limit: 1 }, signal), [
    { value: "kind 0", cells: 5 },
  ]);
  await assert.rejects(listValues(world.deps, { ...ask, limit: 2_001 }, signal), { tag: "invalid-request" });
  const cells = await getCells(
    world.deps,
    { dataset: "d", cellIds: [8, 99, 0], columns: ["donor", "nnz"] },
    signal,
  );
  assert.deepEqual(cells, [
    { cellId: 8, obs: { donor: null, nnz: 1 } },
    { cellId: 0, obs: { donor: "donor 0", nnz: 1 } },
  ]);
  const many = Array.from({ length: 20_001 }, (_, i) => i);
  await assert.rejects(getCells(world.deps, { dataset: "d", cellIds: many, columns: [] }, signal), {
    tag: "invalid-request",
  });
  await assert.rejects(countMatching(world.deps, "nowhere", {}, signal), { tag: "no-ingests" });
});
