import * as api from "@cytomesh/api-service";
import { type EventBus, openBus } from "@cytomesh/events";
import * as extract from "@cytomesh/extract-service";
import * as imaging from "@cytomesh/imaging-service";
import * as inference from "@cytomesh/inference-service";
import * as ingest from "@cytomesh/ingest-service";
import { createLogger, type LogLevel } from "@cytomesh/rpc";
import { defaultPorts, type RunningService, type ServiceName } from "@cytomesh/service-kit";
import * as training from "@cytomesh/training-service";
import * as worker from "@cytomesh/worker-service";
import { freePorts } from "./ports.ts";

/** The services in the order they start: the control plane first, as all others register with it. */
const order = [
  "api",
  "ingest",
  "extract",
  "training",
  "inference",
  "imaging",
  "worker",
] as const satisfies ServiceName[];
const starters = { api, ingest, extract, training, inference, imaging, worker };

/** Environment of a service. */
export type Environment = Record<string, string | undefined>;

/** Addresses of a mesh. */
export interface MeshPorts {
  readonly grpc: Readonly<Record<ServiceName, number>>;
  readonly health: Readonly<Record<ServiceName, number>>;
  /** REST, web page, Connect and gRPC-Web; the api's health port. */
  readonly http: number;
  /** gRPC and everything else over cleartext HTTP/2. */
  readonly edge: number;
}

/** The ports of the documentation. */
export function standardPorts(): MeshPorts {
  const pick = (kind: "grpc" | "health") =>
    Object.fromEntries(order.map((name) => [name, defaultPorts[name][kind]])) as Record<ServiceName, number>;
  return { grpc: pick("grpc"), health: pick("health"), http: defaultPorts.api.health, edge: 7401 };
}

/** Ports that nothing uses now, for runs beside another mesh. */
export async function unusedPorts(): Promise<MeshPorts> {
  const ports = await freePorts(order.length * 2 + 1);
  const pick = (from: number) =>
    Object.fromEntries(order.map((name, i) => [name, ports[from + i] as number])) as Record<
      ServiceName,
      number
    >;
  const health = pick(order.length);
  return { grpc: pick(0), health, http: health.api, edge: ports.at(-1) as number };
}

/** The settings that tie the services of one mesh together, for any of them. */
export function meshEnvironment(
  ports: MeshPorts,
  dataDir: string,
  base: Environment = process.env,
): Environment {
  const targets = Object.fromEntries(
    order
      .filter((name) => name !== "api")
      .map((name) => [`CYTOMESH_${name.toUpperCase()}_TARGET`, `127.0.0.1:${ports.grpc[name]}`]),
  );
  return {
    ...base,
    CYTOMESH_DATA_DIR: dataDir,
    CYTOMESH_API_TARGET: `127.0.0.1:${ports.grpc.api}`,
    CYTOMESH_HTTP_PORT: String(ports.http),
    CYTOMESH_EDGE_PORT: String(ports.edge),
    ...targets,
  };
}

/** The environment of one service of a mesh. */
export function serviceEnvironment(
  name: ServiceName,
  ports: MeshPorts,
  environment: Environment,
): Environment {
  return {
    ...environment,
    CYTOMESH_GRPC_PORT: String(ports.grpc[name]),
    CYTOMESH_HEALTH_PORT: String(ports.health[name]),
  };
}

/** A mesh that runs in this process. */
export interface RunningMesh {
  readonly ports: MeshPorts;
  readonly dataDir: string;
  /** Where the REST API and the web page are. */
  readonly httpUrl: string;
  /** `host:port` for gRPC clients. */
  readonly edgeAddress: string;
  /** Which event bus is used, for people. */
  readonly bus: string;
  stop(): Promise<void>;
}

/** How to start a mesh. */
export interface MeshOptions {
  readonly dataDir: string;
  readonly ports: MeshPorts;
  readonly logLevel: LogLevel;
  readonly env?: Environment;
  /** Told as each service is up. */
  onStarted?(name: ServiceName): void;
}

/** Start all services in this process, over real gRPC on loopback, with the embedded defaults for whatever is not configured. */
export async function startMesh(options: MeshOptions): Promise<RunningMesh> {
  const environment = meshEnvironment(options.ports, options.dataDir, {
    ...(options.env ?? process.env),
    CYTOMESH_LOG_LEVEL: options.logLevel,
  });
  const bus = await openBus({
    natsUrl: environment.NATS_URL,
    dataDir: options.dataDir,
    name: "cytomesh",
    logger: createLogger("mesh", options.logLevel),
  });
  const running: RunningService[] = [];
  const stop = async () => {
    for (const service of running.reverse()) await service.stop();
    await bus.stop();
  };
  try {
    for (const name of order) {
      running.push(await startOne(name, options.ports, environment, bus.bus));
      options.onStarted?.(name);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ports: options.ports,
    dataDir: options.dataDir,
    httpUrl: `http://127.0.0.1:${options.ports.http}`,
    edgeAddress: `127.0.0.1:${options.ports.edge}`,
    bus: bus.description,
    stop,
  };
}

function startOne(
  name: ServiceName,
  ports: MeshPorts,
  environment: Environment,
  bus: EventBus,
): Promise<RunningService> {
  return starters[name].start({
    env: serviceEnvironment(name, ports, environment),
    bus,
    processMetrics: name === "api",
  });
}
