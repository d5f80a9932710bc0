import { createHash } from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
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
    const targetSum = spec.targetSum === 0 ? defaults.targetSum : spec.targetSum;
    const nTop = Math.min(featureIds.length, spec.nTopGenes === 0 ? defaults.nTopGenes : spec.nTopGenes);
    if (nTop > deps.maxGramGenes)
      throw new TrainingError(
        "too-many-genes",
        `n_top_genes is ${nTop}, but this service fits at most ${deps.maxGramGenes} genes exactly (CYTOMESH_MAX_GRAM_GENES); fewer genes rarely change an embedding`,
      );
    const shards = shardsOf(manifest.bins);
    const run: Run = {
      deps,
      context,
      manifest,
      shards,
      checkpoints: jobCheckpoints(deps.store, deps.storeUri, context.job.id, signal),
    };
    context.expectItems(2 * shards.length);
    context.progress({
      unit: "cells",
      total: 2 * manifest.cells,
      message: "mean and variance of every gene",
    });
    const common = { nFeatures: featureIds.length, targetSum };
    const moments = await perShard<MomentsInput>(run, "moments", 0, (bins) => ({ ...common, bins }));
    const selected = await deps.pool.run<Int32Array>("choose", { shards: moments, nTop }, { signal });
    context.progress({ message: `covariance of ${selected.length} genes` });
    const grams = await perShard<GramInput>(run, "gram", manifest.cells, (bins) => ({
      ...common,
      bins,
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
    const fitted = await deps.pool.run<FitOutput>("fit", input, {
      signal,
      // Moved, not copied: together they are the largest thing a training holds.
      transfer: grams.map((bytes) => bytes.buffer as ArrayBuffer),
    });
    await register(run, input, fitted, {
      featureSchema: curriculum.featureSchema,
      selected: selected.length,
    });
    return {
      model: spec.model,
      nComponents: input.nComponents,
      nGenes: featureIds.length,
      cells: BigInt(fitted.cells),
      explainedVarianceRatio: fitted.explainedVarianceRatio,
    };
  });
}

interface Run {
  readonly deps: TrainingDeps;
  readonly context: JobContext<"trainPca">;
  readonly manifest: BinsManifest;
  readonly shards: BinsManifest["bins"][];
  readonly checkpoints: Checkpoints;
}

/** Contiguous shards of about equal numbers of bins. */
function shardsOf(bins: BinsManifest["bins"]): BinsManifest["bins"][] {
  const count = Math.min(maxShards, bins.length);
  return Array.from({ length: count }, (_, i) =>
    bins.slice(Math.floor((i * bins.length) / count), Math.floor(((i + 1) * bins.length) / count)),
  );
}

/** Statistics of every shard, in order: from the checkpoint where there is one, computed and kept otherwise. */
async function perShard<I>(
  run: Run,
  task: "moments" | "gram",
  doneBefore: number,
  inputOf: (bins: MomentsInput["bins"]) => I,
): Promise<Uint8Array[]> {
  const { deps, context, manifest, shards, checkpoints } = run;
  const { signal } = context;
  const cells = new Array<number>(shards.length).fill(0);
  const tell = () => context.progress({ done: doneBefore + cells.reduce((sum, one) => sum + one, 0) });
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const one = async (bins: BinsManifest["bins"], shard: number): Promise<Uint8Array> => {
    const name = `${task}-${String(shard).padStart(3, "0")}`;
    const kept = context.items.has(name) ? await checkpoints.get(name) : undefined;
    const all = bins.reduce((sum, bin) => sum + bin.cells, 0);
    const bytes =
      kept ??
      (await withLocalBins({ ...deps, signal: stop }, manifest, bins, (local) =>
        deps.pool.run<Uint8Array>(task, inputOf(local), {
          signal: stop,
          onProgress: (message: { cells: number }) => {
            cells[shard] = message.cells;
            tell();
          },
        }),
      ));
    if (kept === undefined) {
      await checkpoints.put(name, bytes);
      await context.record({ key: name, outcome: "succeeded" });
    }
    cells[shard] = all;
    tell();
    return bytes;
  };
  return Promise.all(
    shards.map((bins, shard) =>
      one(bins, shard).catch((error) => {
        if (!failed.signal.aborted) failed.abort(error);
        // The first failure is the cause; what the others report is the echo of its abort.
        throw failed.signal.reason;
      }),
    ),
  );
}

async function register(
  run: Run,
  input: FitInput,
  fitted: FitOutput,
  facts: { featureSchema: string; selected: number },
): Promise<void> {
  const { deps, context, checkpoints } = run;
  const { spec, signal } = context;
  const sha256 = createHash("sha256").update(fitted.onnx).digest("hex");
  const uri = storeLayout(deps.storeUri).model(spec.model);
  await publishModel(deps.store, uri, fitted.onnx, sha256, signal);
  const parameters: JsonObject = {
    n_components: input.nComponents,
    n_top_genes: facts.selected,
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
    featureSchema: facts.featureSchema,
    dimension: input.nComponents,
    curriculum: spec.curriculum,
    description: spec.description,
    parameters,
    jobId: context.job.id,
  });
  await checkpoints.clear();
}
