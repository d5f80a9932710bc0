import { readFile } from "node:fs/promises";
import { isMain } from "@cytomesh/config";
import { type EventBus, openBus } from "@cytomesh/events";
import {
  createLogger,
  createMetrics,
  createReflection,
  forwardService,
  hostService,
  instrument,
  type LogLevel,
  runMain,
} from "@cytomesh/rpc";
import {
  dataDirOf,
  loadBaseSettings,
  openStore,
  type RunningService,
  type StartOptions,
} from "@cytomesh/service-kit";
import {
  type ApiContext,
  type ApiSettings,
  buildApi,
  buildRest,
  loadApiSettings,
  readVersion,
} from "./dependencies.ts";
import { EdgeError } from "./edge/errors.ts";
import { startEdge } from "./edge/listeners.ts";
import { assertSafeBinding, parseTokens } from "./edge/settings.ts";

/**
 * Start the api: settings → bus and store → control database and control plane → contracts over gRPC → public edge → loops → SERVING.
 * Stopping goes the other way round.
 */
export async function start(options: StartOptions = {}): Promise<RunningService> {
  const source = options.env ?? process.env;
  const undo: (() => Promise<void>)[] = [];
  const stop = async () => {
    const failures: unknown[] = [];
    // A step that fails must not leave a database or a broker running behind it.
    for (const step of undo.splice(0).reverse()) await step().catch((error) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, "the api did not stop in order");
  };
  try {
    // 1. Settings.
    const base = loadBaseSettings("api", source);
    const settings = loadApiSettings(source);
    const tokens = parseTokens(settings.CYTOMESH_API_TOKENS);
    assertSafeBinding({
      host: settings.CYTOMESH_HOST,
      tokens,
      allowAnonymous: settings.CYTOMESH_ALLOW_ANONYMOUS,
    });
    const logger = options.logger ?? createLogger("api", base.CYTOMESH_LOG_LEVEL as LogLevel);
    const metrics = createMetrics("api", { processMetrics: options.processMetrics ?? true });
    // 2. Bus and store.
    const bus = await ownOrSharedBus(options.bus, base, logger, undo);
    const { store, storeUri } = openStore(base);
    undo.push(() => store.close());
    // 3. Control plane.
    let serving = false;
    const address = () => hosted.address;
    const context: ApiContext = {
      base,
      settings,
      bus,
      logger,
      store,
      storeUri,
      version: await readVersion(),
      self: () => ({
        name: "api",
        address: address(),
        serving,
        reason: serving ? "" : "starting or stopping",
      }),
    };
    const parts = await buildApi(context);
    undo.push(() => parts.close());
    // 4. Contracts for the mesh.
    const hosted = await hostService({
      name: "api",
      host: base.CYTOMESH_INTERNAL_HOST,
      grpcPort: base.CYTOMESH_GRPC_PORT,
      healthPort: undefined,
      services: parts.services,
      logger,
      metrics,
      notReady: async () => {
        await parts.database.ready();
        await bus.ready();
        return undefined;
      },
    });
    undo.push(() => hosted.stop(base.CYTOMESH_SHUTDOWN_GRACE));
    // 5. The public edge: own contracts without the workers' one, and those of the other services.
    const rest = await buildRest(context, parts, hosted.address);
    undo.push(() => rest.close());
    const forwarded = parts.peers.map((peer) =>
      instrument(forwardService(peer.service, peer.channel), { logger, metrics }),
    );
    const bindings = [...publicBindings(hosted.bindings), ...forwarded];
    const reflection = createReflection(bindings.map((binding) => binding.service));
    const edge = await startEdge({
      host: settings.CYTOMESH_HOST,
      httpPort: settings.CYTOMESH_HTTP_PORT,
      edgePort: settings.CYTOMESH_EDGE_PORT,
      tls: await readTls(settings),
      bindings: [...bindings, ...reflection],
      rest: rest.rest.handle,
      probes: { metrics, logger, notReady: hosted.notReady },
      authenticator: parts.authenticator,
      anonymous: tokens.length === 0,
      corsOrigins: settings.CYTOMESH_CORS_ORIGINS ?? [],
      requestTimeoutMs: settings.CYTOMESH_REQUEST_TIMEOUT,
      logger,
    });
    undo.push(() => edge.stop(base.CYTOMESH_SHUTDOWN_GRACE));
    // 6. Loops.
    parts.controlPlane.start();
    hosted.setServing(true);
    serving = true;
    logger.info(
      { http: edge.httpAddress, edge: edge.edgeAddress, tls: edge.tlsAddress },
      "the public edge listens",
    );
    return {
      name: "api",
      address: hosted.address,
      healthAddress: edge.httpAddress,
      hosted,
      async stop() {
        serving = false;
        hosted.setServing(false);
        parts.controlPlane.endWatches();
        await stop();
      },
    };
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
}

/** Contracts that workers use among themselves stay inside the mesh; the edge has a reflection of its own set. */
function publicBindings(bindings: Awaited<ReturnType<typeof hostService>>["bindings"]) {
  const inside = new Set(["cytomesh.jobs.v1.JobWorkerService"]);
  return bindings.filter(
    ({ service }) => !inside.has(service.typeName) && !service.typeName.startsWith("grpc.reflection."),
  );
}

async function ownOrSharedBus(
  shared: EventBus | undefined,
  base: ReturnType<typeof loadBaseSettings>,
  logger: ReturnType<typeof createLogger>,
  undo: (() => Promise<void>)[],
): Promise<EventBus> {
  if (shared !== undefined) return shared;
  const opened = await openBus({
    natsUrl: base.NATS_URL,
    dataDir: dataDirOf(base),
    name: "api",
    logger,
  });
  undo.push(() => opened.stop());
  return opened.bus;
}

async function readTls(settings: ApiSettings) {
  const { CYTOMESH_TLS_CERT: cert, CYTOMESH_TLS_KEY: key } = settings;
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined)
    throw new EdgeError(
      "unsafe-settings",
      `${cert === undefined ? "CYTOMESH_TLS_KEY" : "CYTOMESH_TLS_CERT"} is set without ${cert === undefined ? "CYTOMESH_TLS_CERT" : "CYTOMESH_TLS_KEY"}: TLS needs both files`,
    );
  return { port: settings.CYTOMESH_TLS_PORT, cert: await readFile(cert), key: await readFile(key) };
}

if (isMain(import.meta.url)) await runMain("api", start);
