import { storeLayout } from "@cytomesh/service-kit";
import { ExtractError } from "../errors.ts";
import type { ExtractDeps } from "./deps.ts";

/** Local folders of ingests. */
export async function ingestDirs(
  deps: Pick<ExtractDeps, "copies" | "storeUri">,
  dataset: string,
  ingestIds: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const layout = storeLayout(deps.storeUri);
  const dirs: string[] = [];
  for (const id of ingestIds)
    dirs.push(await deps.copies.folder(layout.ingest(dataset, id), `ingests/${id}`, { signal }));
  return dirs;
}

/** Local folders of all committed ingests of a dataset. */
export async function datasetDirs(
  deps: Pick<ExtractDeps, "catalog" | "copies" | "storeUri">,
  dataset: string,
  signal: AbortSignal,
): Promise<string[]> {
  const ingests = await deps.catalog.ingests(dataset);
  if (ingests.length === 0)
    throw new ExtractError(
      "no-ingests",
      `dataset ${dataset} has no committed ingest yet; ingest files first`,
    );
  return ingestDirs(
    deps,
    dataset,
    ingests.map((ingest) => ingest.id),
    signal,
  );
}
