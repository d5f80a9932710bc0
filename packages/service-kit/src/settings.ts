import { availableParallelism } from "node:os";
import { env } from "@cytomesh/config";
import { type LogLevel, logLevels } from "@cytomesh/rpc";

/** gRPC and health ports of each service when it runs alone and nothing else is set. */
export const defaultPorts = {
  api: { grpc: 7410, health: 7400 },
  ingest: { grpc: 7420, health: 7421 },
  extract: { grpc: 7430, health: 7431 },
  training: { grpc: 7440, health: 7441 },
  inference: { grpc: 7450, health: 7451 },
  imaging: { grpc: 7460, health: 7461 },
  worker: { grpc: 7470, health: 7471 },
} as const;

/** Name of a service of the mesh. */
export type ServiceName = keyof typeof defaultPorts;

/** Settings that every service understands; each adds its own. */
export function baseSettings(service: ServiceName) {
  return {
    /** Address to bind for other services of the mesh. It asks for no token: never make it reachable from outside the mesh. */
    CYTOMESH_INTERNAL_HOST: env.string("127.0.0.1"),
    CYTOMESH_GRPC_PORT: env.port(defaultPorts[service].grpc),
    CYTOMESH_HEALTH_PORT: env.port(defaultPorts[service].health),
    /** Where the control plane is: host:port, dns:///name:port or ipv4:a,b. */
    CYTOMESH_API_TARGET: env.string(`127.0.0.1:${defaultPorts.api.grpc}`),
    /** NATS servers; unset: a nats-server found on this machine, else the in-process bus. */
    NATS_URL: env.string().optional(),
    /** Local state: temporary files, and the embedded database, bus and store where they are used. */
    CYTOMESH_DATA_DIR: env.path("~/.cytomesh"),
    /** Root of everything the mesh writes: file://, gs:// or s3://. Unset: `store` in the data directory. */
    CYTOMESH_STORE_URI: env.string().optional(),
    /** Folders that file:// URIs may name; unset: any. Set it wherever people you do not trust can create jobs. */
    CYTOMESH_FILE_ROOTS: env.list().optional(),
    /** Endpoint of an S3-compatible store; unset: AWS. */
    S3_ENDPOINT: env.url().optional(),
    AWS_REGION: env.string().optional(),
    /** Endpoint of a GCS emulator; unset: Google. */
    GCS_ENDPOINT: env.url().optional(),
    CYTOMESH_LOG_LEVEL: env
      .string("info")
      .refine((level): level is LogLevel => (logLevels as readonly string[]).includes(level), {
        message: `expected one of ${logLevels.join(", ")}`,
      }),
    /** Worker threads for CPU-heavy steps. */
    CYTOMESH_THREADS: env.int(Math.max(1, Math.min(8, availableParallelism())), { min: 1, max: 64 }),
    /** Job attempts at the same time in this process. */
    CYTOMESH_MAX_JOBS: env.int(2, { min: 1, max: 64 }),
    /** How long calls and jobs under way may take to end when the service stops. */
    CYTOMESH_SHUTDOWN_GRACE: env.durationMs("10s"),
  };
}
