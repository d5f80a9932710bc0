import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Curriculum } from "@cytomesh/contracts/catalog/v1/resources";
import { defineHandler, type JobContext } from "@cytomesh/jobs";
import type { BinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { readBinsManifest, withLocalBins } from "../data-manager/bins.ts";
import { type Checkpoints, jobCheckpoints } from "../data-manager/checkpoints.ts";
import { publishModel } from "../data-manager/models.ts";
import { TrainingError } from "../errors.ts";
import type { TrainingDeps } from "./deps.ts";
import type { FitInput, FitOutput, GramInput, MomentsInput } from "./statistics-task.ts";

const defaults = { nComponents: 50, nTopGenes: 2_000, targetSum: 10_000 };

/**
 * Shards at most. Their number depends on the bins alone, never on the threads, and they are merged in order: the sums are formed in the
 * same order on any machine, so the model is the same to the last bit.
 */
const maxShards = 16;

/** Fit a PCA: moments → chosen genes → Gram matrix → components → ONNX → register. Each shard's statistics are a checkpoint. */
export function trainPcaHandler(deps: TrainingDeps) {
  return defineHandler("trainPca", async (context) => {
    const { spec, signal } = context;
    const curriculum = await deps.catalog.curriculum(spec.curriculum);
    const manifest = await readBinsManifest(deps.store, deps.storeUri, curriculum, signal);
    const featureIds = await deps.catalog.featureIds(curriculum.featureSchema);
    const nTop = Math.min(featureIds.length, spec.nTopGenes === 0 ? defaults.nTopGenes : spec.nTopGenes);
    if (nTop > deps.maxGramGenes)
      throw new TrainingError(
        "too-many-genes",
        `n_top_genes is ${nTop}, but this service fits at most ${deps.maxGramGenes} genes exactly (CYTOMESH_MAX_GRAM_GENES); fewer genes rarely change an embedding`,
      );
    const checkpoints = jobCheckpoints(deps.store, deps.storeUri, context.job.id, signal);
    const workDir = await mkdtemp(join(deps.tempDir, "train-"));
    try {
      const shards = shardsOf(manifest.bins);
      const run: Run = { deps, context, manifest, shards, checkpoints, workDir };
      const { fitted, input } = await fitShards(run, { curriculum, featureIds, nTop });
      await register(run, input, fitted, curriculum.featureSchema);
      return {
        model: spec.model,
        nComponents: input.nComponents,
        nGenes: featureIds.length,
        cells: BigInt(fitted.cells),
        explainedVarianceRatio: fitted.explainedVarianceRatio,
      };
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  });
}

/** Both passes over the bins, and the fit. */
async function fitShards(
  run: Run,
  o: { curriculum: Curriculum; featureIds: string[]; nTop: number },
): Promise<{ fitted: FitOutput; input: FitInput }> {
  const { deps, context, manifest, shards } = run;
  const { spec, signal } = context;
  const { curriculum, featureIds, nTop } = o;
  const targetSum = spec.targetSum === 0 ? defaults.targetSum : spec.targetSum;
  context.expectItems(2 * shards.length);
  context.progress({ unit: "cells", total: 2 * manifest.cells, message: "mean and variance of every gene" });
  const common = { nFeatures: featureIds.length, targetSum };
  const moments = await perShard<MomentsInput>(run, "moments", 0, (part) => ({ ...common, ...part }));
  const selected = await deps.pool.run<Int32Array>("choose", { shards: moments, nTop }, { signal });
  context.progress({ message: `covariance of ${selected.length} genes` });
  const grams = await perShard<GramInput>(run, "gram", manifest.cells, (part) => ({
    ...common,
    ...part,
    selected,
  }));
  context.progress({ done: 2 * manifest.cells, message: "principal components" });
  const input: FitInput = {
    shards: grams,
    featureIds,
    selected,
    nComponents: spec.nComponents === 0 ? defaults.nComponents : spec.nComponents,
    scale: spec.scale,
    targetSum,
    metadata: {
      curriculum: curriculum.name,
      curriculum_manifest_sha256: curriculum.manifestSha256,
      feature_schema: curriculum.featureSchema,
    },
  };
  return { input, fitted: await deps.pool.run<FitOutput>("fit", input, { signal }) };
}

interface Run {
  readonly deps: TrainingDeps;
  readonly context: JobContext<"trainPca">;
  readonly manifest: BinsManifest;
  readonly shards: BinsManifest["bins"][];
  readonly checkpoints: Checkpoints;
  /** Local folder for the statistics of shards. */
  readonly workDir: string;
}

/** Contiguous shards of about equal numbers of bins. */
function shardsOf(bins: BinsManifest["bins"]): BinsManifest["bins"][] {
  const count = Math.min(maxShards, bins.length);
  return Array.from({ length: count }, (_, i) =>
    bins.slice(Math.floor((i * bins.length) / count), Math.floor(((i + 1) * bins.length) / count)),
  );
}

/**
 * Files with the statistics of every shard, in order: fetched where there is a checkpoint, computed and kept otherwise. As many shards are
 * under way as there are threads, which bounds what lies on the local disk of bins that had to be fetched.
 */
async function perShard<I>(
  run: Run,
  task: "moments" | "gram",
  doneBefore: number,
  inputOf: (part: Pick<MomentsInput, "bins" | "outPath">) => I,
): Promise<string[]> {
  const { deps, context, manifest, shards, checkpoints } = run;
  const cells = new Array<number>(shards.length).fill(0);
  const tell = (shard: number, count: number) => {
    cells[shard] = count;
    context.progress({ done: doneBefore + cells.reduce((sum, one) => sum + one, 0) });
  };
  const failed = new AbortController();
  const signal = AbortSignal.any([context.signal, failed.signal]);
  const names = shards.map((_, shard) => `${task}-${String(shard).padStart(3, "0")}`);
  const paths = names.map((name) => join(run.workDir, name));
  const queue = shards.entries();
  const work = async () => {
    for (const [shard, bins] of queue) {
      signal.throwIfAborted();
      const [name, outPath] = [names[shard] as string, paths[shard] as string];
      if (!(context.items.has(name) && (await checkpoints.fetch(name, outPath)))) {
        await withLocalBins({ ...deps, signal }, manifest, bins, (local) =>
          deps.pool.run(task, inputOf({ bins: local, outPath }), {
            signal,
            onProgress: (message: { cells: number }) => tell(shard, message.cells),
          }),
        );
        await checkpoints.put(name, outPath);
        await context.record({ key: name, outcome: "succeeded" });
      }
      tell(
        shard,
        bins.reduce((sum, bin) => sum + bin.cells, 0),
      );
    }
  };
  const threads = Math.min(deps.pool.threads, shards.length);
  // The first failure stops the others, whose own failures then only say so.
  await Promise.all(Array.from({ length: threads }, () => work().catch((error) => failed.abort(error))));
  failed.signal.throwIfAborted();
  return paths;
}

async function register(run: Run, input: FitInput, fitted: FitOutput, featureSchema: string): Promise<void> {
  const { deps, context, checkpoints } = run;
  const { spec, signal } = context;
  const sha256 = createHash("sha256").update(fitted.onnx).digest("hex");
  const uri = storeLayout(deps.storeUri).model(spec.model);
  await publishModel(deps.store, uri, fitted.onnx, sha256, signal);
  const parameters: JsonObject = {
    n_components: input.nComponents,
    n_top_genes: input.selected.length,
    scale: input.scale,
    target_sum: input.targetSum,
    cells: fitted.cells,
    explained_variance_ratio: fitted.explainedVarianceRatio,
  };
  await deps.catalog.registerModel({
    name: spec.model,
    kind: "pca",
    uri,
    sha256,
    featureSchema,
    dimension: input.nComponents,
    curriculum: spec.curriculum,
    description: spec.description,
    parameters,
    jobId: context.job.id,
  });
  await checkpoints.clear();
}
