import { env, loadConfig } from "@cytomesh/config";
import { TrainingService } from "@cytomesh/contracts/training/v1/training_service";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { trainingCatalog } from "./clients/catalog.ts";
import { trainingServiceImpl } from "./rpc/training-service.ts";
import type { TrainingDeps } from "./services/deps.ts";
import { trainPcaHandler } from "./services/train-job.ts";

/** Settings of this service alone. */
export const trainingSettings = {
  /** Genes that a Gram matrix may have; 8192 are 512 MiB per thread. */
  CYTOMESH_MAX_GRAM_GENES: env.int(8_192, { min: 16, max: 40_000 }),
};

/** Wire the service. */
export async function buildTraining(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(trainingSettings, { env: source, name: "training" });
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), {
    threads: tools.settings.CYTOMESH_THREADS,
  });
  const deps: TrainingDeps = {
    store: tools.store,
    storeUri: tools.storeUri,
    tempDir: tools.tempDir,
    catalog: trainingCatalog(tools.control.catalog),
    pool,
    maxGramGenes: settings.CYTOMESH_MAX_GRAM_GENES,
  };
  return {
    services: [bindService(TrainingService, trainingServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [trainPcaHandler(deps)],
    close: () => pool.close(),
  };
}
