import type { ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { TrainingCatalog } from "../clients/catalog.ts";

/** What the domain needs from outside. */
export interface TrainingDeps {
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly tempDir: string;
  readonly catalog: TrainingCatalog;
  readonly pool: TaskPool;
  /** Genes that a Gram matrix may have: memory is 8 bytes times its square, per thread. */
  readonly maxGramGenes: number;
}
