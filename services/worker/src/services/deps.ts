import type { ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { AnalysisFiles } from "../data-manager/analysis-files.ts";

/** What the domain needs from outside. */
export interface WorkerDeps {
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly files: AnalysisFiles;
  readonly pool: TaskPool;
}
