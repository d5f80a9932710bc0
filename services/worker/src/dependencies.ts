import { env, loadConfig } from "@cytomesh/config";
import { AnalysisService } from "@cytomesh/contracts/worker/v1/analysis_service";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { createAnalysisFiles } from "./data-manager/analysis-files.ts";
import { analysisServiceImpl } from "./rpc/analysis-service.ts";
import { analysisHandler } from "./services/analysis-job.ts";
import type { WorkerDeps } from "./services/deps.ts";

/** Settings of this service alone. */
export const workerSettings = {
  /** How long one file may keep the reader busy before it counts as hostile. */
  CYTOMESH_READER_TIMEOUT: env.durationMs("2m"),
  /** Disk for copies of remote files, so that a file that is looked at again is not fetched again. */
  CYTOMESH_FILE_CACHE: env.bytes("10GiB"),
};

/** Wire the service. */
export async function buildWorker(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(workerSettings, { env: source, name: "worker" });
  const files = await createAnalysisFiles({
    store: tools.store,
    tempDir: tools.tempDir,
    cacheBytes: settings.CYTOMESH_FILE_CACHE,
    readerTimeoutMs: settings.CYTOMESH_READER_TIMEOUT,
  });
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), {
    threads: tools.settings.CYTOMESH_THREADS,
  });
  const deps: WorkerDeps = { store: tools.store, storeUri: tools.storeUri, files, pool };
  return {
    services: [bindService(AnalysisService, analysisServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [analysisHandler(deps)],
    async close() {
      await pool.close();
      await files.close();
    },
  };
}
