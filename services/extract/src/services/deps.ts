import type { LocalCopies, ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { ExtractCatalog } from "../clients/catalog.ts";

/** What the domain needs from outside. */
export interface ExtractDeps {
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly tempDir: string;
  readonly catalog: ExtractCatalog;
  readonly copies: LocalCopies;
  readonly pool: TaskPool;
  /** Memory for the bins open at once, over all threads, in bytes. */
  readonly memoryBytes: number;
}
