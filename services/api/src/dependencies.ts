import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { env, loadConfig } from "@cytomesh/config";
import { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { EventBus } from "@cytomesh/events";
import type { ObjectStore } from "@cytomesh/object-store";
import { bindService, type Channel, type Logger, openChannel, type ServiceBinding } from "@cytomesh/rpc";
import {
  type BaseSettings,
  createTaskPool,
  dataDirOf,
  retrySafeJobs,
  storeLayout,
  type TaskPool,
} from "@cytomesh/service-kit";
import { openPeers, type PeerName, type ServicePeer } from "./clients/peers.ts";
import { type Database, openDatabase } from "./data-manager/postgres/database.ts";
import { type Authenticator, tokenAuthenticator } from "./edge/authenticator.ts";
import { edgeSettings, parseTokens } from "./edge/settings.ts";
import { createRestApp, type RestApp } from "./rest/app.ts";
import { type RestClients, uploadTasks } from "./rest/deps.ts";
import { createCatalogServiceImpl } from "./rpc/catalog-service.ts";
import { createJobServiceImpl } from "./rpc/job-service.ts";
import { createJobWorkerServiceImpl } from "./rpc/job-worker-service.ts";
import { createMeshServiceImpl } from "./rpc/mesh-service.ts";
import { type ControlPlane, createControlPlane } from "./services/control-plane.ts";
import { createMeshStatus, type ServiceStatus } from "./services/mesh-status.ts";

/** Settings of this service alone. */
export const apiSettings = {
  ...edgeSettings,
  /** Control database; unset: the embedded Postgres in the data directory. */
  DATABASE_URL: env.secret().optional(),
  /** A running job whose worker is silent for so long is given to another. */
  CYTOMESH_JOB_LEASE: env.durationMs("30s"),
  /** Time between looks for silent workers, lost messages and children nobody woke. */
  CYTOMESH_RECONCILE_INTERVAL: env.durationMs("5s"),
  /** Where the other services are; unset: not part of this mesh. */
  CYTOMESH_INGEST_TARGET: env.string("127.0.0.1:7420"),
  CYTOMESH_EXTRACT_TARGET: env.string("127.0.0.1:7430"),
  CYTOMESH_TRAINING_TARGET: env.string("127.0.0.1:7440"),
  CYTOMESH_INFERENCE_TARGET: env.string("127.0.0.1:7450"),
  CYTOMESH_IMAGING_TARGET: env.string("127.0.0.1:7460"),
  CYTOMESH_WORKER_TARGET: env.string("127.0.0.1:7470"),
};

/** The settings, parsed. */
export type ApiSettings = ReturnType<typeof loadApiSettings>;

/** Read the settings of this service. */
export function loadApiSettings(source: Record<string, string | undefined>) {
  return loadConfig(apiSettings, { env: source, name: "api" });
}

/** Everything the api consists of, wired but not listening. */
export interface ApiParts {
  readonly database: Database;
  readonly controlPlane: ControlPlane;
  readonly peers: readonly ServicePeer[];
  readonly authenticator: Authenticator;
  /** Contracts that other services call. */
  readonly services: readonly ServiceBinding[];
  close(): Promise<void>;
}

/** What the parts are wired from. */
export interface ApiContext {
  readonly base: BaseSettings;
  readonly settings: ApiSettings;
  readonly bus: EventBus;
  readonly logger: Logger;
  readonly store: ObjectStore;
  readonly storeUri: string;
  readonly version: string;
  readonly self: () => ServiceStatus;
}

/** Version of the mesh, from the root package. */
export async function readVersion(): Promise<string> {
  const text = await readFile(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Wire the control plane and the contracts over it. */
export async function buildApi(context: ApiContext): Promise<ApiParts> {
  const { base, settings, bus, logger } = context;
  const database = await openDatabase({ url: settings.DATABASE_URL, dataDir: dataDirOf(base), logger });
  const controlPlane = createControlPlane({
    database,
    publisher: bus,
    clock: database.clock,
    layout: storeLayout(context.storeUri),
    logger,
    volatileBus: bus.kind === "in-process",
    jobSettings: { leaseDurationMs: settings.CYTOMESH_JOB_LEASE },
    reconcileIntervalMs: settings.CYTOMESH_RECONCILE_INTERVAL,
  });
  const peers = openPeers(targetsOf(settings));
  const status = createMeshStatus({
    version: context.version,
    eventBus: bus.kind,
    self: context.self,
    peers,
  });
  return {
    database,
    controlPlane,
    peers,
    authenticator: tokenAuthenticator(parseTokens(settings.CYTOMESH_API_TOKENS)),
    services: [
      bindService(JobService, createJobServiceImpl({ jobs: controlPlane.jobs })),
      bindService(JobWorkerService, createJobWorkerServiceImpl({ jobs: controlPlane.jobs })),
      bindService(CatalogService, createCatalogServiceImpl({ catalog: controlPlane.catalog })),
      bindService(MeshService, createMeshServiceImpl(status)),
    ],
    async close() {
      await controlPlane.stop();
      for (const peer of peers) peer.channel.close();
      await database.close();
    },
  };
}

function targetsOf(settings: ApiSettings): Record<PeerName, string> {
  return {
    ingest: settings.CYTOMESH_INGEST_TARGET,
    extract: settings.CYTOMESH_EXTRACT_TARGET,
    training: settings.CYTOMESH_TRAINING_TARGET,
    inference: settings.CYTOMESH_INFERENCE_TARGET,
    imaging: settings.CYTOMESH_IMAGING_TARGET,
    worker: settings.CYTOMESH_WORKER_TARGET,
  };
}

/** The REST app over the mesh's own contracts. `address` is where this process serves gRPC. */
export async function buildRest(
  context: ApiContext,
  parts: ApiParts,
  address: string,
): Promise<{ rest: RestApp; close(): Promise<void> }> {
  const { base, settings, logger, store } = context;
  const own = openChannel(address);
  const peer = (name: PeerName): Channel =>
    (parts.peers.find((one) => one.name === name) as ServicePeer).channel;
  const clients: RestClients = {
    catalog: own.client(CatalogService),
    jobs: retrySafeJobs(own.client(JobService)),
    mesh: own.client(MeshService),
    inference: peer("inference").client(InferenceService),
    extract: peer("extract").client(ExtractService),
  };
  const pool: TaskPool = createTaskPool(uploadTasks, {
    threads: base.CYTOMESH_THREADS,
    // Somebody waits for the next upload to be answered.
    idleTimeoutMs: 60_000,
  });
  const tempDir = join(dataDirOf(base), "tmp", "uploads");
  await mkdir(tempDir, { recursive: true });
  const rest = await createRestApp({
    clients,
    pool,
    readObject: (uri, signal) => store.get(uri, { signal, maxBytes: 256 * 1024 * 1024 }),
    tempDir,
    limits: {
      maxUploadBytes: settings.CYTOMESH_MAX_UPLOAD,
      requestTimeoutMs: settings.CYTOMESH_REQUEST_TIMEOUT,
      readerTimeoutMs: settings.CYTOMESH_READER_TIMEOUT,
    },
    authenticator: parts.authenticator,
    minClientVersion: settings.CYTOMESH_MIN_CLIENT_VERSION,
    version: context.version,
    logger,
  });
  return {
    rest,
    async close() {
      await rest.close();
      await pool.close();
      own.close();
    },
  };
}
