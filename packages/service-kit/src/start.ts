import { type AnyJobHandler, startJobWorker } from "@cytomesh/jobs";
import { type HostedService, hostService, type ServiceBinding } from "@cytomesh/rpc";
import type { ServiceName } from "./settings.ts";
import {
  type BaseSettings,
  loadBaseSettings,
  openTools,
  type ServiceTools,
  type ToolOverrides,
  workerName,
} from "./tools.ts";

/** What is particular to a service: its contracts and its jobs. */
export interface ServiceParts {
  readonly services: readonly ServiceBinding[];
  readonly handlers: readonly AnyJobHandler[];
  /** Release what the parts hold: thread pools, caches. */
  close(): Promise<void>;
}

/** A service that runs. */
export interface RunningService {
  readonly name: ServiceName;
  readonly address: string;
  readonly healthAddress: string | undefined;
  readonly hosted: HostedService;
  stop(): Promise<void>;
}

/** How a service is started, alone or by the launcher. */
export interface StartOptions extends ToolOverrides {
  /** Environment to read the settings from; default `process.env`. */
  readonly env?: Record<string, string | undefined>;
}

/**
 * Start a service that works on jobs: settings → tools → parts → gRPC → job worker → SERVING. Stopping goes the other way round:
 * NOT_SERVING, hand running jobs back, drain calls, release.
 */
export async function startService(
  name: ServiceName,
  build: (tools: ServiceTools) => Promise<ServiceParts>,
  options: StartOptions = {},
): Promise<RunningService> {
  // 1. Settings and tools.
  const settings: BaseSettings = loadBaseSettings(name, options.env);
  const tools = await openTools(name, settings, options);
  // 2. The service's own parts.
  const parts = await build(tools).catch(async (error) => {
    await tools.close();
    throw error;
  });
  // 3. Its contracts over gRPC.
  const hosted = await hostService({
    name,
    host: settings.CYTOMESH_INTERNAL_HOST,
    grpcPort: settings.CYTOMESH_GRPC_PORT,
    healthPort: settings.CYTOMESH_HEALTH_PORT,
    services: parts.services,
    logger: tools.logger,
    metrics: tools.metrics,
    notReady: tools.notReady,
  }).catch(async (error) => {
    await parts.close();
    await tools.close();
    throw error;
  });
  // 4. Its job queue.
  const worker =
    parts.handlers.length === 0
      ? undefined
      : await startJobWorker({
          service: name,
          worker: workerName(name),
          bus: tools.bus,
          client: tools.control.worker,
          handlers: parts.handlers,
          maxInFlight: settings.CYTOMESH_MAX_JOBS,
          logger: tools.logger,
          metrics: tools.metrics,
        }).catch(async (error) => {
          await hosted.stop(0);
          await parts.close();
          await tools.close();
          throw error;
        });
  hosted.setServing(true);
  return {
    name,
    address: hosted.address,
    healthAddress: hosted.healthAddress,
    hosted,
    async stop() {
      hosted.setServing(false);
      const failures: unknown[] = [];
      const steps = [
        async () => worker?.stop(),
        () => hosted.stop(settings.CYTOMESH_SHUTDOWN_GRACE),
        () => parts.close(),
        () => tools.close(),
      ];
      // A step that fails must not leave threads, ports or a broker behind it.
      for (const step of steps) await step().catch((error) => failures.push(error));
      if (failures.length > 0) throw new AggregateError(failures, `${name} did not stop in order`);
    },
  };
}
