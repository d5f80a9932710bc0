import { readIngestFeatures } from "@cytomesh/omics-store";
import { ExtractError } from "../errors.ts";

/** Derive a feature schema from ingests: all features, or those that every ingest measured; sorted, each once. */
export async function deriveFeatures(
  ingestDirs: readonly string[],
  mode: "union" | "intersection",
  signal: AbortSignal,
): Promise<string[]> {
  const counts = new Map<string, number>();
  for (const dir of ingestDirs) {
    signal.throwIfAborted();
    for (const id of new Set(await readIngestFeatures(dir))) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  const wanted = mode === "union" ? 1 : ingestDirs.length;
  const ids = [...counts].filter(([, count]) => count >= wanted).map(([id]) => id);
  if (ids.length === 0)
    throw new ExtractError(
      "no-shared-features",
      `the ${ingestDirs.length} ingests have no feature in common; use the union, a named feature schema, or ingest with feature_id_column so that all use the same ids`,
    );
  return ids.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
