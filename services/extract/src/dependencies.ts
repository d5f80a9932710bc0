import { join } from "node:path";
import { env, loadConfig } from "@cytomesh/config";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { createLocalCopies } from "@cytomesh/object-store";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, dataDirOf, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { extractCatalog } from "./clients/catalog.ts";
import { extractServiceImpl } from "./rpc/extract-service.ts";
import type { ExtractDeps } from "./services/deps.ts";
import { extractHandler } from "./services/extract-job.ts";
import { prepareHandler } from "./services/prepare-job.ts";

/** Settings of this service alone. */
export const extractSettings = {
  /** Memory for the bins open at once, over all threads. */
  CYTOMESH_EXTRACT_MEMORY: env.bytes("1GiB"),
};

/** Wire the service. */
export async function buildExtract(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(extractSettings, { env: source, name: "extract" });
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), {
    threads: tools.settings.CYTOMESH_THREADS,
  });
  const deps: ExtractDeps = {
    store: tools.store,
    storeUri: tools.storeUri,
    tempDir: tools.tempDir,
    catalog: extractCatalog(tools.control.catalog),
    copies: createLocalCopies(tools.store, join(dataDirOf(tools.settings), "cache")),
    pool,
    memoryBytes: settings.CYTOMESH_EXTRACT_MEMORY,
  };
  return {
    services: [bindService(ExtractService, extractServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [prepareHandler(deps), extractHandler(deps)],
    close: () => pool.close(),
  };
}
