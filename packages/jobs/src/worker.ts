import { fromBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { JobDispatchedSchema } from "@cytomesh/contracts/events/v1/events";
import type { JobWorkerService, StartAttemptResponse } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { type EventBus, Reject, RetryLater, type WorkMessage } from "@cytomesh/events";
import { type Logger, type Metrics, runDetached } from "@cytomesh/rpc";
import { runAttempt } from "./attempt.ts";
import type { AnyJobHandler, JobKind } from "./handler.ts";

/** Options of {@link startJobWorker}. */
export interface JobWorkerOptions {
  /** Service whose work queue is consumed: `jobs.<service>.>`. */
  readonly service: string;
  /** Name of this process in job rows and logs. */
  readonly worker: string;
  readonly bus: EventBus;
  readonly client: Client<typeof JobWorkerService>;
  readonly handlers: readonly AnyJobHandler[];
  /** Attempts at the same time in this process. */
  readonly maxInFlight: number;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/**
 * Deliveries of one message before it is put aside. Waiting for a control plane that is away counts as deliveries too: at 2 s each this
 * outlasts a restart by minutes, and a message put aside is sent anew by the reconciler.
 */
const maxDeliveries = 100;

/** Consume a service's work queue and run attempts. */
export async function startJobWorker(options: JobWorkerOptions): Promise<{ stop(): Promise<void> }> {
  const handlers = new Map<JobKind, AnyJobHandler>(
    options.handlers.map((handler) => [handler.kind, handler]),
  );
  const shutdown = new AbortController();
  const consumer = await options.bus.consumeWork(
    {
      service: options.service,
      maxInFlight: options.maxInFlight,
      maxDeliver: maxDeliveries,
      onError: (error) => options.logger.error({ err: error }, "the work queue has a problem"),
    },
    (message) => runDetached(() => handleMessage(options, handlers, message, shutdown.signal)),
  );
  return {
    async stop() {
      // Handlers hear of the shutdown first and hand their jobs back; the consumer then drains without waiting for whole jobs.
      shutdown.abort();
      await consumer.stop({ drainMs: 10_000 });
    },
  };
}

async function handleMessage(
  options: JobWorkerOptions,
  handlers: ReadonlyMap<JobKind, AnyJobHandler>,
  message: WorkMessage,
  shutdown: AbortSignal,
): Promise<void> {
  if (shutdown.aborted) throw new RetryLater("the service stops", { delayMs: 1_000 });
  const started = await startAttempt(options, message);
  if (started?.job === undefined) return;
  const kind = started.job.spec?.spec.case;
  const handler = kind === undefined ? undefined : handlers.get(kind);
  const labels = { kind: kind ?? "unknown" };
  options.metrics.jobsRunning.inc(labels);
  try {
    const outcome = await runAttempt({
      client: options.client,
      started,
      handler: handler ?? refuse(options.service, kind),
      shutdown,
      logger: options.logger,
    });
    options.metrics.jobAttempts.inc({ ...labels, outcome });
  } finally {
    options.metrics.jobsRunning.dec(labels);
  }
}

/** Take the lease. Undefined when there is nothing to do: the job has ended, waits, or another worker has it. */
async function startAttempt(
  options: JobWorkerOptions,
  message: WorkMessage,
): Promise<StartAttemptResponse | undefined> {
  let jobId: string;
  try {
    jobId = fromBinary(JobDispatchedSchema, message.payload).jobId;
  } catch (error) {
    throw new Reject(`not a JobDispatched message: ${(error as Error).message}`);
  }
  try {
    return await options.client.startAttempt({ jobId, worker: options.worker });
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    switch (error.code) {
      case Code.Aborted:
      case Code.FailedPrecondition:
        // A repeated message, or a worker that lives: the reconciler sends a new message should its lease run out.
        options.logger.debug({ jobId, reason: error.rawMessage }, "nothing to do for this message");
        return undefined;
      case Code.NotFound:
        throw new Reject(error.rawMessage);
      default:
        throw new RetryLater(`cannot begin an attempt: ${error.rawMessage}`, { delayMs: 2_000 });
    }
  }
}

function refuse(service: string, kind: string | undefined): AnyJobHandler {
  return {
    kind: (kind ?? "unknown") as JobKind,
    run: () => {
      throw Object.assign(
        new Error(`service ${service} has no handler for jobs of kind ${kind ?? "(none)"}`),
        {
          tag: "no-handler",
          grpcCode: "unimplemented",
          httpStatus: 501,
        },
      );
    },
  };
}
