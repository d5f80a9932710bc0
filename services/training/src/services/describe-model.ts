import { readOnnxSummary } from "@cytomesh/kernels";
import { readModel } from "../data-manager/models.ts";
import type { TrainingDeps } from "./deps.ts";

/** What a trained model consists of, read from its file. Long metadata (the gene list) is cut to what a person reads. */
export async function describeModel(deps: TrainingDeps, name: string, signal: AbortSignal) {
  const model = await deps.catalog.model(name);
  const bytes = await readModel(deps.store, model.uri, model.sha256, signal);
  const summary = readOnnxSummary(bytes);
  const metadata = Object.fromEntries(
    Object.entries(summary.metadata).map(([key, value]) => [
      key,
      value.length > 500 ? `${value.slice(0, 500)}…` : value,
    ]),
  );
  const nFeatures = summary.inputs.get("counts")?.[1] ?? 0;
  return { metadata, size: bytes.length, nComponents: model.dimension, nFeatures };
}
