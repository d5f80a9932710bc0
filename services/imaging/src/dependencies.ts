import { env, loadConfig } from "@cytomesh/config";
import { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { bindService } from "@cytomesh/rpc";
import { createTaskPool, type ServiceParts, type ServiceTools } from "@cytomesh/service-kit";
import { imagingServiceImpl } from "./rpc/imaging-service.ts";
import { convertFieldsHandler } from "./services/convert-job.ts";
// libvips must be loaded by the main thread before a worker loads it, or it is torn down with the first worker that ends.
import "./services/decoder.ts";
import type { ImagingDeps } from "./services/deps.ts";
import { formatMetadataHandler } from "./services/metadata/format-job.ts";
import { stageHandler } from "./services/stage/stage-job.ts";

/** Settings of this service alone. */
export const imagingSettings = {
  /** Pixels that a page of a field may have. Segmenting takes up to 40 bytes per pixel and thread: 64 Mpx are 2.5 GiB. */
  CYTOMESH_MAX_FIELD_PIXELS: env.int(67_108_864, { min: 4_096, max: 268_402_689 }),
  /** Channels (pages times samples) that a field may have; each is one PNG per crop. */
  CYTOMESH_MAX_FIELD_CHANNELS: env.int(64, { min: 1, max: 4_096 }),
  /** How long decoding one page may take before its file counts as hostile. */
  CYTOMESH_DECODER_TIMEOUT: env.durationMs("2m"),
};

/** Wire the service. */
export async function buildImaging(tools: ServiceTools, source = process.env): Promise<ServiceParts> {
  const settings = loadConfig(imagingSettings, { env: source, name: "imaging" });
  const pool = createTaskPool(new URL("./services/tasks.ts", import.meta.url), {
    threads: tools.settings.CYTOMESH_THREADS,
  });
  const deps: ImagingDeps = {
    store: tools.store,
    tempDir: tools.tempDir,
    pool,
    limits: {
      maxPixels: settings.CYTOMESH_MAX_FIELD_PIXELS,
      maxChannels: settings.CYTOMESH_MAX_FIELD_CHANNELS,
      timeoutMs: settings.CYTOMESH_DECODER_TIMEOUT,
    },
  };
  return {
    services: [bindService(ImagingService, imagingServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [convertFieldsHandler(deps), stageHandler(deps), formatMetadataHandler(deps)],
    close: () => pool.close(),
  };
}
