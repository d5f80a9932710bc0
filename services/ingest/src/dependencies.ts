import { env, loadConfig } from "@cytomesh/config";
import { IngestService } from "@cytomesh/contracts/ingest/v1/ingest_service";
import type { MatrixEncoding } from "@cytomesh/omics-store";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { ingestCatalog } from "./clients/catalog.ts";
import { ingestServiceImpl } from "./rpc/ingest-service.ts";
import type { IngestDeps } from "./services/ingest-file.ts";
import { ingestHandler } from "./services/ingest-job.ts";

/** Settings of this service alone. */
export const ingestSettings = {
  /** How long one file may keep the reader busy before it counts as hostile. */
  CYTOMESH_READER_TIMEOUT: env.durationMs("2m"),
  /** How count lists are stored: `delta`, or `plain` for readers of Parquet without DELTA_BINARY_PACKED. */
  CYTOMESH_INGEST_ENCODING: env
    .string("delta")
    .refine((value): value is MatrixEncoding => value === "delta" || value === "plain", {
      message: "expected delta or plain",
    }),
};

/** Wire the service. */
export async function buildIngest(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(ingestSettings, { env: source, name: "ingest" });
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), {
    threads: tools.settings.CYTOMESH_THREADS,
  });
  const deps: IngestDeps = {
    store: tools.store,
    storeUri: tools.storeUri,
    tempDir: tools.tempDir,
    catalog: ingestCatalog(tools.control.catalog),
    pool,
    readerTimeoutMs: settings.CYTOMESH_READER_TIMEOUT,
    encoding: settings.CYTOMESH_INGEST_ENCODING,
  };
  return {
    services: [bindService(IngestService, ingestServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [ingestHandler(deps)],
    close: () => pool.close(),
  };
}
