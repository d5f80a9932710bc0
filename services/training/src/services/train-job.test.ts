import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import type { TrainPcaSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { attempt, type JobRun, newJobRun } from "@cytomesh/jobs/testing";
import {
  addRows,
  addRowsToGram,
  createOnnxRunner,
  emptyGram,
  emptyMoments,
  finalizePca,
  normalizeLog1p,
  normalizeTotal,
  readOnnxSummary,
  selectHighlyVariable,
} from "@cytomesh/kernels";
import { binFileName } from "@cytomesh/omics-store";
import { makeWorld, pool, sha256 } from "../testing/world.ts";
import type { TrainingDeps } from "./deps.ts";
import { describeModel } from "./describe-model.ts";
import { trainPcaHandler } from "./train-job.ts";

type World = Awaited<ReturnType<typeof makeWorld>>;
type Spec = MessageInitShape<typeof TrainPcaSpecSchema>;
interface Result {
  nComponents: number;
  nGenes: number;
  cells: bigint;
  explainedVarianceRatio: number[];
}

const worlds: World[] = [];
after(async () => {
  await pool.close();
  for (const world of worlds) await world.close();
});
async function freshWorld(): Promise<World> {
  const world = await makeWorld();
  worlds.push(world);
  return world;
}

const base = { curriculum: "c", model: "m", nComponents: 4, nTopGenes: 12 };
const train = (
  deps: TrainingDeps,
  spec: Spec = {},
  run?: JobRun,
  o?: Parameters<typeof attempt>[3],
): Promise<Result> =>
  attempt(
    trainPcaHandler(deps),
    { case: "trainPca", value: { ...base, ...spec } },
    run,
    o,
  ) as Promise<Result>;

const modelBytes = (world: World, name = "m") =>
  readFile(world.deps.store.localPath(world.layout.model(name)) as string);
async function scratch(world: World): Promise<string[]> {
  const names: string[] = [];
  for await (const { uri } of world.deps.store.list(`${world.layout.scratch("job-1")}/`))
    names.push(uri.slice(uri.lastIndexOf("/") + 1));
  return names;
}

test("the model is the PCA of all cells in one go, and gives its scores", async () => {
  for (const scale of [false, true]) {
    const world = await freshWorld();
    const run = newJobRun();
    // All genes: with few of them dispersions tie but for rounding, and sums over shards round otherwise than those in one go.
    const result = await train(world.deps, { scale, targetSum: 500, nTopGenes: 0 }, run);
    const moments = emptyMoments(world.featureIds.length);
    for (const { rows, totals } of world.bins) addRows(moments, normalizeTotal(rows, totals, 500));
    const selected = selectHighlyVariable({ normalized: moments, nTop: 30, method: "seurat" });
    const columnMap = new Int32Array(world.featureIds.length).fill(-1);
    selected.forEach((column, position) => {
      columnMap[column] = position;
    });
    const gram = emptyGram(selected.length);
    for (const { rows, totals } of world.bins)
      addRowsToGram(gram, normalizeLog1p(rows, totals, 500), columnMap);
    const pca = finalizePca(gram, { nComponents: 4, scale: scale ? "unit-variance" : "none" });
    assert.deepEqual([result.nComponents, result.nGenes, result.cells], [4, 30, BigInt(world.cells)]);
    console.log(result.explainedVarianceRatio, pca.explainedVarianceRatio, selected);
    result.explainedVarianceRatio.forEach((ratio, i) => {
      assert.ok(Math.abs(ratio - (pca.explainedVarianceRatio[i] ?? 0)) < 1e-9);
    });
    const runner = await createOnnxRunner(await modelBytes(world));
    try {
      const { rows, totals } = world.bins[3] ?? assert.fail();
      const found = await runner.embedRows(rows, totals);
      const log = normalizeLog1p(rows, totals, 500);
      for (let row = 0; row < rows.nRows; row++)
        for (let component = 0; component < 4; component++) {
          const dense = new Float64Array(selected.length);
          for (let k = rows.indptr[row] ?? 0; k < (rows.indptr[row + 1] ?? 0); k++) {
            const position = columnMap[rows.indices[k] ?? 0] ?? -1;
            if (position >= 0) dense[position] = log.data[k] ?? 0;
          }
          const score = dense.reduce(
            (sum, value, i) =>
              sum +
              ((value - (pca.mean[i] ?? 0)) / (pca.std[i] ?? 1)) *
                (pca.components[component * pca.p + i] ?? 0),
            0,
          );
          const close = Math.abs(score - (found[row * 4 + component] ?? Number.NaN));
          assert.ok(close < 1e-4, `row ${row}, component ${component}: off by ${close}`);
        }
    } finally {
      await runner.close();
    }
    const model = world.models.get("m");
    assert.equal(model?.sha256, sha256(await modelBytes(world)));
    assert.deepEqual(
      [model?.dimension, model?.parameters?.n_top_genes, model?.parameters?.scale],
      [4, 30, scale],
    );
    assert.deepEqual([run.expected, run.items.size], [32, 32]);
    assert.equal(run.progress.at(-1)?.done, 2 * world.cells);
    // Nothing is left of the statistics.
    assert.deepEqual(await scratch(world), []);
    assert.deepEqual(await readdir(world.tempDir), []);
  }
});

test("another attempt computes only the shards that are missing, and gives the same model", async () => {
  const calm = await freshWorld();
  await train(calm.deps);
  const expected = await modelBytes(calm);
  for (const stopAfter of [1, 16, 20, 32]) {
    const world = await freshWorld();
    const run = newJobRun();
    const controller = new AbortController();
    const stopped = train(world.deps, {}, run, {
      signal: controller.signal,
      onRecord: () => {
        if (run.items.size === stopAfter) controller.abort(new Error("shutdown"));
      },
    });
    await assert.rejects(stopped, /shutdown/, `stopped after ${stopAfter}`);
    assert.deepEqual(await readdir(world.tempDir), []);
    const before = new Set(run.items.keys());
    assert.deepEqual(new Set(await scratch(world)).isSupersetOf(before), true);
    const computed: string[] = [];
    const counting: TrainingDeps = {
      ...world.deps,
      pool: {
        ...pool,
        run: (name, input, options) => {
          const { outPath } = input as { outPath?: string };
          if (outPath !== undefined) computed.push(outPath.slice(outPath.lastIndexOf("/") + 1));
          return pool.run(name, input, options);
        },
      },
    };
    await train(counting, {}, run, { number: 2 });
    assert.equal(computed.length, 32 - before.size, `stopped after ${stopAfter}`);
    assert.ok(computed.every((name) => !before.has(name)));
    assert.deepEqual(await modelBytes(world), expected, `stopped after ${stopAfter}`);
  }
});

test("killed between publishing and registering, the next attempt registers the same file", async () => {
  const world = await freshWorld();
  const run = newJobRun();
  const dying: TrainingDeps = {
    ...world.deps,
    catalog: { ...world.deps.catalog, registerModel: () => Promise.reject(new Error("killed")) },
  };
  await assert.rejects(train(dying, {}, run), /killed/);
  const published = await modelBytes(world);
  await train(world.deps, {}, run, { number: 2 });
  assert.deepEqual(await modelBytes(world), published);
  assert.equal(world.models.get("m")?.sha256, sha256(published));
});

test("a checkpoint that is lost is computed again, a damaged one is refused", async () => {
  const world = await freshWorld();
  const run = newJobRun();
  const dying: TrainingDeps = {
    ...world.deps,
    catalog: { ...world.deps.catalog, registerModel: () => Promise.reject(new Error("killed")) },
  };
  await assert.rejects(train(dying, {}, run), /killed/);
  const root = world.layout.scratch("job-1");
  await world.deps.store.delete(`${root}/gram-003`);
  await train(world.deps, {}, run, { number: 2 });
  await assert.rejects(train(dying, { model: "m2" }, newJobRun()), /killed/);
  const path = world.deps.store.localPath(`${root}/gram-004`) as string;
  const bytes = await readFile(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await assert.rejects(train(world.deps, { model: "m2" }, run), { tag: "corrupt_checkpoint" });
});

test("another model under the name stays what it was", async () => {
  const world = await freshWorld();
  await train(world.deps);
  const before = await modelBytes(world);
  const other = { nComponents: 3 };
  await assert.rejects(train(world.deps, other, newJobRun()), { tag: "model-exists" });
  assert.deepEqual(await modelBytes(world), before);
  assert.equal(world.models.get("m")?.dimension, 4);
});

test("what cannot be fitted is refused with what to do", async () => {
  const world = await freshWorld();
  await assert.rejects(train({ ...world.deps, maxGramGenes: 8 }), {
    tag: "too-many-genes",
    message: /n_top_genes is 12.*at most 8/,
  });
  // More than there are genes means all of them.
  await assert.rejects(train({ ...world.deps, maxGramGenes: 29 }, { nTopGenes: 5_000 }), /n_top_genes is 30/);
  await assert.rejects(train(world.deps, { nComponents: 13 }), (error: { tag?: string; message: string }) => {
    assert.match(error.message, /13/);
    return true;
  });
  world.curriculum.state = CurriculumState.PREPARED;
  await assert.rejects(train(world.deps), { tag: "not-extracted" });
  assert.deepEqual([...world.models.keys()], []);
});

test("a damaged bin fails the training by name, first among the failures it causes, and leaves nothing", async () => {
  const world = await freshWorld();
  const path = join(world.binsDir, binFileName(7));
  const bytes = await readFile(path);
  bytes[1_000] = (bytes[1_000] ?? 0) ^ 1;
  await writeFile(path, bytes);
  await assert.rejects(train(world.deps), { tag: "corrupt", message: /extract_7\.h5ad/ });
  assert.deepEqual(await readdir(world.tempDir), []);
});

test("a model is described from its file, which is held against its checksum", async () => {
  const world = await freshWorld();
  await train(world.deps);
  const signal = AbortSignal.timeout(60_000);
  const found = await describeModel(world.deps, "m", signal);
  assert.deepEqual([found.nComponents, found.nFeatures], [4, 30]);
  assert.equal(found.metadata.curriculum, "c");
  assert.equal(found.size, (await modelBytes(world)).length);
  assert.equal(readOnnxSummary(await modelBytes(world)).metadata.feature_schema, "genes");
  const path = world.deps.store.localPath(world.layout.model("m")) as string;
  await writeFile(path, "something else");
  await assert.rejects(describeModel(world.deps, "m", signal), { tag: "damaged-model" });
});
