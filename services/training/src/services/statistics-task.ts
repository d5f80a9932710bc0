import { readFile, writeFile } from "node:fs/promises";
import {
  addRows,
  addRowsToGram,
  addSerializedGram,
  buildPcaOnnx,
  deserializeMoments,
  emptyGram,
  emptyMoments,
  finalizePca,
  log1pInPlace,
  mergeMoments,
  normalizeTotal,
  selectHighlyVariable,
  serializeGram,
  serializeMoments,
} from "@cytomesh/kernels";
import { openBin } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";
import type { LocalBin } from "../data-manager/bins.ts";
import { TrainingError } from "../errors.ts";

/** Rows per step: small enough to stop and report within a second, large enough to amortise the reading. */
const batchRows = 1_024;

/** Input of {@link moments}. */
export interface MomentsInput {
  readonly bins: LocalBin[];
  readonly nFeatures: number;
  readonly targetSum: number;
  /** Local file that receives the statistics: they stay out of messages, as all shards together may be larger than memory. */
  readonly outPath: string;
}

/** Mean and variance of the normalised counts of every gene, over the bins of a shard. */
export async function moments(input: MomentsInput, context: TaskContext): Promise<void> {
  const state = emptyMoments(input.nFeatures);
  await eachBatch(input, context, (normalized) => addRows(state, normalized));
  await writeFile(input.outPath, serializeMoments(state));
}

/** Normalised rows of the bins, batch by batch, in order. */
async function eachBatch(
  input: MomentsInput,
  context: TaskContext,
  use: (normalized: ReturnType<typeof normalizeTotal>) => void,
): Promise<void> {
  let done = 0;
  for (const bin of input.bins) {
    using reader = await openBin(bin.path, bin.sha256, context.signal);
    for (const { start, rows } of reader.batches(batchRows)) {
      const totals = reader.totals.subarray(start, start + rows.nRows);
      use(normalizeTotal(rows, totals, input.targetSum));
      done += rows.nRows;
      context.progress({ cells: done });
      await context.breathe();
    }
  }
}

/** Merge the moments of shards, in their order, and choose the genes to fit on. */
export async function choose(input: { shards: readonly string[]; nTop: number }): Promise<Int32Array> {
  const shards = await Promise.all(
    input.shards.map(async (path) => deserializeMoments(await readFile(path))),
  );
  const normalized = shards.reduce(mergeMoments);
  const selected = selectHighlyVariable({ normalized, nTop: input.nTop, method: "seurat" });
  if (selected.length === 0)
    throw new TrainingError(
      "no-variable-genes",
      "no gene varies over the cells of the curriculum, so there is nothing to fit",
    );
  return selected;
}

/** Input of {@link gram}. */
export interface GramInput extends MomentsInput {
  /** Positions of the chosen genes in the schema. */
  readonly selected: Int32Array;
}

/** Gram matrix of the log-normalised counts of the chosen genes, over the bins of a shard. */
export async function gram(input: GramInput, context: TaskContext): Promise<void> {
  const columnMap = new Int32Array(input.nFeatures).fill(-1);
  input.selected.forEach((column, position) => {
    columnMap[column] = position;
  });
  const state = emptyGram(input.selected.length);
  await eachBatch(input, context, (normalized) => {
    log1pInPlace(normalized.data);
    addRowsToGram(state, normalized, columnMap);
  });
  await writeFile(input.outPath, serializeGram(state));
}

/** Input of {@link fit}. */
export interface FitInput {
  /** Local files with the Gram matrices. */
  readonly shards: readonly string[];
  readonly featureIds: string[];
  readonly selected: Int32Array;
  readonly nComponents: number;
  readonly scale: boolean;
  readonly targetSum: number;
  readonly metadata: Record<string, string>;
}

/** A fitted model as ONNX bytes, with what people ask about it. */
export interface FitOutput {
  readonly onnx: Uint8Array;
  readonly explainedVarianceRatio: number[];
  readonly cells: number;
}

/** Merge the Gram matrices of shards, in their order, take the principal components, and write the ONNX graph. */
export async function fit(input: FitInput): Promise<FitOutput> {
  // In place, shard after shard: one matrix in memory, and the sums are formed in the same order everywhere.
  const state = emptyGram(input.selected.length);
  for (const path of input.shards) addSerializedGram(state, await readFile(path));
  const pca = finalizePca(state, {
    nComponents: input.nComponents,
    scale: input.scale ? "unit-variance" : "none",
  });
  const onnx = buildPcaOnnx({
    featureIds: input.featureIds,
    selected: input.selected,
    mean: pca.mean,
    std: pca.std,
    components: pca.components,
    targetSum: input.targetSum,
    nComponents: pca.nComponents,
    metadata: input.metadata,
  });
  return { onnx, explainedVarianceRatio: [...pca.explainedVarianceRatio], cells: state.n };
}
