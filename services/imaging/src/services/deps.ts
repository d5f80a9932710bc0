import type { ObjectStore } from "@cytomesh/object-store";
import type { StoreSettings, TaskPool } from "@cytomesh/service-kit";
import type { ReadLimits } from "../schemas/convert.ts";

/** What the domain needs from outside. */
export interface ImagingDeps {
  readonly store: ObjectStore;
  readonly tempDir: string;
  /** Runs the tasks of `tasks.ts`; its threads open the store that `storeSettings` describe. */
  readonly pool: TaskPool;
  readonly storeSettings: StoreSettings;
  readonly limits: ReadLimits;
  /** Pause before the second try of a field, in ms; it doubles from there. */
  readonly firstPauseMs?: number;
}
