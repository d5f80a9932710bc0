import { env, loadConfig } from "@cytomesh/config";
import { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { bindService } from "@cytomesh/rpc";
import {
  createTaskPool,
  type ServiceParts,
  type ServiceTools,
  type StoreSettings,
} from "@cytomesh/service-kit";
import { imagingServiceImpl } from "./rpc/imaging-service.ts";
import { convertFieldsHandler } from "./services/convert/convert-job.ts";
import type { ImagingDeps } from "./services/deps.ts";
import { formatMetadataHandler } from "./services/metadata/format-job.ts";
import { stageHandler } from "./services/stage/stage-job.ts";

/** Settings of this service alone. */
export const imagingSettings = {
  /** Pixels that a plane of a field may have. Segmenting takes up to 40 bytes per pixel and thread: 64 Mpx are 2.5 GiB. */
  CYTOMESH_MAX_FIELD_PIXELS: env.int(67_108_864, { min: 4_096, max: 268_402_689 }),
  /** Channels that a field may have, samples of colours counted. */
  CYTOMESH_MAX_FIELD_CHANNELS: env.int(64, { min: 1, max: 4_096 }),
  /** Bytes of all channels of a field as 16 bits, held while it is converted. */
  CYTOMESH_MAX_FIELD_BYTES: env.int(1_073_741_824, { min: 65_536, max: 68_719_476_736 }),
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
    storeSettings: storeSettingsOf(tools.settings),
    limits: {
      maxPixels: settings.CYTOMESH_MAX_FIELD_PIXELS,
      maxChannels: settings.CYTOMESH_MAX_FIELD_CHANNELS,
      maxFieldBytes: settings.CYTOMESH_MAX_FIELD_BYTES,
    },
  };
  return {
    services: [bindService(ImagingService, imagingServiceImpl({ ...deps, jobs: tools.control.jobs }))],
    handlers: [convertFieldsHandler(deps), stageHandler(deps), formatMetadataHandler(deps)],
    close: () => pool.close(),
  };
}

/** Only what a worker thread needs to open the store, and nothing that it must not be sent. */
function storeSettingsOf(settings: StoreSettings): StoreSettings {
  const names = [
    "CYTOMESH_DATA_DIR",
    "CYTOMESH_STORE_URI",
    "CYTOMESH_FILE_ROOTS",
    "S3_ENDPOINT",
    "AWS_REGION",
    "GCS_ENDPOINT",
  ] as const;
  const chosen = names.filter((name) => settings[name] !== undefined).map((name) => [name, settings[name]]);
  return Object.fromEntries(chosen) as StoreSettings;
}
