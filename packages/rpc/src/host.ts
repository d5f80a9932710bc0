import { type GrpcServer, startGrpcServer } from "./grpc-server.ts";
import { createHealth } from "./health.ts";
import { instrument, type ServiceBinding } from "./instrument.ts";
import type { Logger } from "./logging.ts";
import type { Metrics } from "./metrics.ts";
import { startProbeServer } from "./probes.ts";
import { createReflection } from "./reflection.ts";

/** What `hostService` needs to know. */
export interface HostOptions {
  readonly name: string;
  readonly host: string;
  /** gRPC port; 0 takes a free one. */
  readonly grpcPort: number;
  /** Port of `/livez`, `/readyz`, `/metrics`; 0 takes a free one, undefined serves none (the service does it on a port of its own). */
  readonly healthPort: number | undefined;
  readonly services: readonly ServiceBinding[];
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Undefined when what the service depends on answers; otherwise which part does not. */
  readonly notReady?: () => Promise<string | undefined>;
}

/** A service that answers. */
export interface HostedService {
  readonly grpc: GrpcServer;
  readonly address: string;
  readonly healthAddress: string | undefined;
  /** The instrumented bindings, for serving them at an edge too. */
  readonly bindings: readonly ServiceBinding[];
  setServing(serving: boolean): void;
  notReady(): Promise<string | undefined>;
  /** Say NOT_SERVING, drain for up to `graceMs`, close. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * The part every service has in common: its contracts over gRPC, instrumented, with `grpc.health.v1`, reflection v1 and v1alpha, and
 * the probe port. The service is NOT_SERVING until `setServing(true)`.
 */
export async function hostService(options: HostOptions): Promise<HostedService> {
  const bindings = options.services.map((binding) => instrument(binding, options));
  const health = createHealth(options.services.map((binding) => binding.service.typeName));
  const plumbing = [
    health.binding,
    ...createReflection([...options.services.map((binding) => binding.service), health.binding.service]),
  ];
  const notReady = async () => (health.isServing() ? await options.notReady?.() : "starting or stopping");
  const grpc = await startGrpcServer({
    services: [...bindings, ...plumbing],
    host: options.host,
    port: options.grpcPort,
  });
  const probes =
    options.healthPort === undefined
      ? undefined
      : await startProbeServer({
          host: options.host,
          port: options.healthPort,
          logger: options.logger,
          metrics: options.metrics,
          notReady,
        }).catch(async (error) => {
          await grpc.stop(0);
          throw error;
        });
  options.logger.info({ grpc: grpc.address, health: probes?.address }, `${options.name} listens`);
  return {
    grpc,
    address: grpc.address,
    healthAddress: probes?.address,
    bindings: [...bindings, ...plumbing],
    setServing: (serving) => health.setServing(serving),
    notReady,
    async stop(graceMs) {
      health.setServing(false);
      health.close();
      await grpc.stop(graceMs);
      await probes?.stop();
    },
  };
}

/** Anything that was started and can be stopped. */
export interface Stoppable {
  stop(): Promise<void>;
}

/**
 * Run a service as a process of its own: start it, stop it gracefully on SIGTERM or SIGINT (a second signal ends it at once), and end
 * with a non-zero code when it cannot start or an error escapes.
 */
export async function runMain(name: string, start: () => Promise<Stoppable>): Promise<void> {
  const die = (error: unknown): never => {
    process.stderr.write(
      `${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  };
  process.on("uncaughtException", die);
  process.on("unhandledRejection", die);
  let running: Stoppable | undefined;
  let stopping = false;
  const stop = async () => {
    if (stopping) process.exit(130);
    stopping = true;
    await running?.stop();
    process.exit(0);
  };
  process.on("SIGTERM", () => void stop().catch(die));
  process.on("SIGINT", () => void stop().catch(die));
  try {
    running = await start();
    if (stopping) await running.stop();
  } catch (error) {
    process.stderr.write(`${name} cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
    if (error instanceof Error && error.cause instanceof Error)
      process.stderr.write(`  cause: ${error.cause.message}\n`);
    process.exit(1);
  }
}
