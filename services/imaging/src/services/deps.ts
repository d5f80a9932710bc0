import type { ObjectStore } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import type { ReadLimits } from "../schemas/convert.ts";

/** What the domain needs from outside. */
export interface ImagingDeps {
  readonly store: ObjectStore;
  readonly tempDir: string;
  readonly pool: TaskPool;
  readonly limits: ReadLimits;
}
