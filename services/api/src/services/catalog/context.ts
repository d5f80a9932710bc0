import type { CatalogStore } from "../../data-manager/catalog-store.ts";
import type { Clock } from "../../schemas/runtime.ts";

/** Where things lie in the object store; `storeLayout` of the service kit fits. */
export interface CatalogLayout {
  dataset(name: string): string;
  ingest(dataset: string, ingestId: string): string;
}

/** What every catalog operation gets. */
export interface CatalogContext {
  readonly store: CatalogStore;
  readonly layout: CatalogLayout;
  readonly clock: Clock;
}

/**
 * An id as one token of a subject. Names may hold dots, which separate tokens: `model-1.pbmc` becomes `model-1%2Epbmc`. The
 * payload carries the name as it is.
 */
export const subjectToken = (name: string): string => name.replaceAll(".", "%2E");
