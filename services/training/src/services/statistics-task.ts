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
}

/** Mean and variance of the normalised counts of every gene, over the bins of a shard. */
export async function moments(input: MomentsInput, context: TaskContext): Promise<Uint8Array> {
  const state = emptyMoments(input.nFeatures);
  let done = 0;
  for (const bin of input.bins) {
    using reader = await openBin(bin.path, bin.sha256, context.signal);
    for (const { start, rows } of reader.batches(batchRows)) {
      const totals = reader.totals.subarray(start, start + rows.nRows);
      addRows(state, normalizeTotal(rows, totals, input.targetSum));
      done += rows.nRows;
      context.progress({ cells: done });
      await context.breathe();
    }
  }
  return serializeMoments(state);
}

/** Merge the moments of shards, in their order, and choose the genes to fit on. */
export function choose(input: { shards: Uint8Array[]; nTop: number }): Int32Array {
  const merged = input.shards.map(deserializeMoments).reduce(mergeMoments);
  const selected = selectHighlyVariable({ normalized: merged, nTop: input.nTop, method: "seurat" });
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
export async function gram(input: GramInput, context: TaskContext): Promise<Uint8Array> {
  const columnMap = new Int32Array(input.nFeatures).fill(-1);
  input.selected.forEach((column, position) => {
    columnMap[column] = position;
  });
  const state = emptyGram(input.selected.length);
  let done = 0;
  for (const bin of input.bins) {
    using reader = await openBin(bin.path, bin.sha256, context.signal);
    for (const { start, rows } of reader.batches(batchRows)) {
      const totals = reader.totals.subarray(start, start + rows.nRows);
      const normalized = normalizeTotal(rows, totals, input.targetSum);
      log1pInPlace(normalized.data);
      addRowsToGram(state, normalized, columnMap);
      done += rows.nRows;
      context.progress({ cells: done });
      await context.breathe();
    }
  }
  return serializeGram(state);
}

/** Input of {@link fit}. */
export interface FitInput {
  readonly shards: Uint8Array[];
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
export function fit(input: FitInput): FitOutput {
  // In place, shard after shard: one matrix in memory, and the sums are formed in the same order everywhere.
  const state = input.shards.reduce(addSerializedGram, emptyGram(input.selected.length));
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
