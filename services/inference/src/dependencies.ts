import { join } from "node:path";
import { env, loadConfig } from "@cytomesh/config";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { createLocalCopies } from "@cytomesh/object-store";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, dataDirOf, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { cachedLookups } from "./clients/cached-lookups.ts";
import { inferenceCatalog } from "./clients/catalog.ts";
import { inferenceServiceImpl } from "./rpc/inference-service.ts";
import { buildIndexHandler } from "./services/build-index-job.ts";
import type { InferenceDeps, ServingDeps } from "./services/deps.ts";
import { embedHandler } from "./services/embed-job.ts";

/** Settings of this service alone. */
export const inferenceSettings = {
  /** Indexes that each thread keeps open, and as many models and ontologies. Every thread holds a copy of its own. */
  CYTOMESH_CACHED_INDEXES: env.int(4, { min: 1, max: 64 }),
  /** How long an idle thread keeps what it opened. */
  CYTOMESH_INDEX_IDLE: env.durationMs("15m"),
};

/** A rebuilt default or a new index is noticed within this time, in ms. */
const catalogTtlMs = 5_000;

/** Wire the service. */
export async function buildInference(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(inferenceSettings, { env: source, name: "inference" });
  const tasks = new URL("./services/tasks.ts", import.meta.url);
  const threads = tools.settings.CYTOMESH_THREADS;
  const jobs = createTaskPool(tasks, { threads });
  const queries = createTaskPool(tasks, { threads, idleTimeoutMs: settings.CYTOMESH_INDEX_IDLE });
  const lifetime = new AbortController();
  const catalog = inferenceCatalog(tools.control.catalog);
  const copies = createLocalCopies(tools.store, join(dataDirOf(tools.settings), "cache"));
  const deps: InferenceDeps = {
    store: tools.store,
    storeUri: tools.storeUri,
    tempDir: tools.tempDir,
    catalog,
    copies,
    pool: jobs,
  };
  const serving: ServingDeps = {
    catalog: cachedLookups(catalog, catalogTtlMs),
    copies,
    pool: queries,
    cachedIndexes: settings.CYTOMESH_CACHED_INDEXES,
    lifetime: lifetime.signal,
  };
  return {
    services: [bindService(InferenceService, inferenceServiceImpl({ serving, jobs: tools.control.jobs }))],
    handlers: [embedHandler(deps), buildIndexHandler(deps)],
    async close() {
      lifetime.abort(new Error("the service stops"));
      await Promise.all([jobs.close(), queries.close()]);
    },
  };
}
