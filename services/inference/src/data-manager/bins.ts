import { type Curriculum, CurriculumState } from "@cytomesh/contracts/catalog/v1/resources";
import type { ObjectStore } from "@cytomesh/object-store";
import { type BinsManifest, fetchBinsManifest } from "@cytomesh/omics-store";
import { storeLayout } from "@cytomesh/service-kit";
import { InferenceError } from "../errors.ts";

/** The bins of an extracted curriculum. */
export async function readBinsManifest(
  store: ObjectStore,
  storeUri: string,
  curriculum: Curriculum,
  signal: AbortSignal,
): Promise<BinsManifest> {
  if (curriculum.state !== CurriculumState.EXTRACTED)
    throw new InferenceError(
      "not-extracted",
      `curriculum ${curriculum.name} has no bins yet; run an extract job first`,
    );
  return fetchBinsManifest(store, storeLayout(storeUri).bins(curriculum.name), signal);
}
