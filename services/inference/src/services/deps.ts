import type { LocalCopies, ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { CatalogLookups, InferenceCatalog } from "../clients/catalog.ts";

/** What the jobs need from outside. */
export interface InferenceDeps {
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly tempDir: string;
  readonly catalog: InferenceCatalog;
  readonly copies: LocalCopies;
  /** Threads for jobs. */
  readonly pool: TaskPool;
}

/** What answering queries needs from outside. */
export interface ServingDeps {
  readonly catalog: CatalogLookups;
  readonly copies: LocalCopies;
  /** Threads for queries, apart from those of jobs: a long job must not keep people waiting. */
  readonly pool: TaskPool;
  /** Indexes (and models, and ontologies) that each thread keeps open. */
  readonly cachedIndexes: number;
  /** Aborts when the service stops. Local copies are fetched under it, as they serve more than the query that needs them first. */
  readonly lifetime: AbortSignal;
}
