import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import type { Client } from "@connectrpc/connect";
import { describeConfig, loadConfig } from "@cytomesh/config";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@cytomesh/contracts/grpc/health/v1/health";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { type EventBus, openBus } from "@cytomesh/events";
import { createObjectStore, type ObjectStore, toUri } from "@cytomesh/object-store";
import {
  type Channel,
  createLogger,
  createMetrics,
  type Logger,
  type LogLevel,
  type Metrics,
  openChannel,
} from "@cytomesh/rpc";
import { keepCompiledCode } from "./compiled-code.ts";
import { retrySafeJobs } from "./retry-safe-jobs.ts";
import { baseSettings, type ServiceName } from "./settings.ts";
import { openTempDir } from "./temp-dir.ts";

/** The settings every service has, parsed. */
export type BaseSettings = ReturnType<typeof loadBaseSettings>;

/** Read the settings of a service from the environment. */
export function loadBaseSettings(
  service: ServiceName,
  source: Record<string, string | undefined> = process.env,
) {
  return loadConfig(baseSettings(service), { env: source, name: service });
}

/** Clients of the control plane. */
export interface ControlPlane {
  readonly channel: Channel;
  readonly jobs: Client<typeof JobService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly worker: Client<typeof JobWorkerService>;
}

/** What a service is given to work with. A test replaces any of it. */
export interface ServiceTools {
  readonly name: ServiceName;
  readonly settings: BaseSettings;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly store: ObjectStore;
  /** Root URI of what the mesh writes. */
  readonly storeUri: string;
  /** Local folder for temporary files of this service; exists. */
  readonly tempDir: string;
  readonly control: ControlPlane;
  readonly bus: EventBus;
  /** Undefined when bus and control plane answer. */
  notReady(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Parts that the launcher or a test brings along instead of having them made. */
export interface ToolOverrides {
  readonly bus?: EventBus;
  readonly logger?: Logger;
  /** Collect process-wide metrics too; one service per process. */
  readonly processMetrics?: boolean;
}

/** The settings that say where files are: plain data, so that a worker thread can open the same store. */
export type StoreSettings = Pick<
  BaseSettings,
  | "CYTOMESH_DATA_DIR"
  | "CYTOMESH_STORE_URI"
  | "CYTOMESH_FILE_ROOTS"
  | "S3_ENDPOINT"
  | "AWS_REGION"
  | "GCS_ENDPOINT"
>;

/** The object store that the settings describe. */
export function openStore(settings: StoreSettings): { store: ObjectStore; storeUri: string } {
  const storeUri = settings.CYTOMESH_STORE_URI ?? toUri(join(dataDirOf(settings), "store"));
  const roots = settings.CYTOMESH_FILE_ROOTS;
  const store = createObjectStore({
    // The mesh's own store is always reachable, whatever roots are allowed for users' files.
    fileRoots:
      roots === undefined ? undefined : [...roots, ...(storeUri.startsWith("file://") ? [storeUri] : [])],
    s3: { endpoint: settings.S3_ENDPOINT, region: settings.AWS_REGION },
    gcs: { apiEndpoint: settings.GCS_ENDPOINT },
  });
  return { store, storeUri };
}

/** The data directory as an absolute path. */
export function dataDirOf(settings: Pick<BaseSettings, "CYTOMESH_DATA_DIR">): string {
  return resolve(settings.CYTOMESH_DATA_DIR.replace(/^~(?=$|\/)/, homedir()));
}

/** Make the tools of a service from its settings. */
export async function openTools(
  name: ServiceName,
  settings: BaseSettings,
  overrides: ToolOverrides = {},
): Promise<ServiceTools> {
  const logger = overrides.logger ?? createLogger(name, settings.CYTOMESH_LOG_LEVEL as LogLevel);
  const metrics = createMetrics(name, { processMetrics: overrides.processMetrics ?? true });
  const dataDir = dataDirOf(settings);
  const tempDir = join(dataDir, "tmp", name);
  await openTempDir(tempDir);
  keepCompiledCode(join(dataDir, "compiled"));
  const { store, storeUri } = openStore(settings);
  const ownBus =
    overrides.bus === undefined
      ? await openBus({ natsUrl: settings.NATS_URL, dataDir, name, logger })
      : undefined;
  const bus = overrides.bus ?? (ownBus as { bus: EventBus }).bus;
  const channel = openChannel(settings.CYTOMESH_API_TARGET);
  const control: ControlPlane = {
    channel,
    jobs: retrySafeJobs(channel.client(JobService)),
    catalog: channel.client(CatalogService),
    worker: channel.client(JobWorkerService),
  };
  const health = channel.client(Health);
  logger.info(
    { settings: describeConfig(baseSettings(name), settings), bus: bus.kind, store: storeUri },
    `${name} starts`,
  );
  return {
    name,
    settings,
    logger,
    metrics,
    store,
    storeUri,
    tempDir,
    control,
    bus,
    async notReady() {
      try {
        await bus.ready();
      } catch (error) {
        return `event bus: ${(error as Error).message}`;
      }
      try {
        const { status } = await health.check({}, { timeoutMs: 2_000 });
        return status === Status.SERVING ? undefined : "control plane: not serving";
      } catch (error) {
        return `control plane at ${settings.CYTOMESH_API_TARGET}: ${(error as Error).message}`;
      }
    },
    async close() {
      channel.close();
      await ownBus?.stop();
      await store.close();
    },
  };
}

/** Name of this process in job rows: service, host, pid. */
export function workerName(service: string): string {
  return `${service}@${hostname()}/${process.pid}`;
}
