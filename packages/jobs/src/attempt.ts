import { setTimeout as sleep } from "node:timers/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import type { Job } from "@cytomesh/contracts/jobs/v1/job";
import type { JobWorkerService, StartAttemptResponse } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { Logger } from "@cytomesh/rpc";
import { mayPass } from "./control-plane-calls.ts";
import { describeFailure, JobFailure } from "./failure.ts";
import type { AnyJobHandler, JobContext, JobKind } from "./handler.ts";
import { keepLease } from "./lease.ts";

/** Why the signal of an attempt was aborted. */
export class AttemptStopped extends Error {
  readonly why: "cancelled" | "shutdown" | "lease-lost";

  constructor(why: AttemptStopped["why"]) {
    super(`the attempt was stopped: ${why}`);
    this.name = "AttemptStopped";
    this.why = why;
  }
}

/** How an attempt ended, for metrics and logs. */
export type AttemptOutcome = "succeeded" | "failed" | "retrying" | "cancelled" | "requeued" | "lease-lost";

/** How long the end of an attempt is tried to be reported while the control plane is away, in ms. */
const reportPatienceMs = 10 * 60_000;

/** The same once the service stops: an unreported attempt costs another one after its lease, a process that does not end costs more. */
const shutdownPatienceMs = 5_000;

interface AttemptOptions {
  readonly client: Client<typeof JobWorkerService>;
  readonly started: StartAttemptResponse;
  readonly handler: AnyJobHandler;
  readonly shutdown: AbortSignal;
  readonly logger: Logger;
}

/** Run one attempt under its lease: heartbeats, progress, items, and the report of its end. */
export async function runAttempt(options: AttemptOptions): Promise<AttemptOutcome> {
  const { client, started, handler } = options;
  const job = started.job as Job;
  const jobId = job.id;
  const { lease } = started;
  const leaseMs = started.leaseDuration === undefined ? 30_000 : durationMs(started.leaseDuration);
  const log = options.logger.child({ jobId, kind: job.kind, attempt: job.attempt });
  const controller = new AbortController();
  const stop = (why: AttemptStopped["why"]) => {
    if (!controller.signal.aborted) controller.abort(new AttemptStopped(why));
  };
  const onShutdown = () => stop("shutdown");
  options.shutdown.addEventListener("abort", onShutdown, { once: true });
  if (options.shutdown.aborted) onShutdown();

  const keeper = keepLease({
    client,
    jobId,
    lease,
    leaseMs,
    stop,
    signal: controller.signal,
    log,
    items: started.items,
  });
  const context: JobContext<JobKind> = {
    job,
    spec: job.spec?.spec.value as never,
    attempt: job.attempt,
    signal: controller.signal,
    log,
    items: new Map(started.items.map((item) => [item.key, item])),
    progress: keeper.update,
    expectItems: keeper.expectItems,
    record: keeper.record,
  };
  log.info("attempt begins");
  try {
    if (job.spec?.spec.case !== handler.kind)
      throw new JobFailure(
        "wrong-kind",
        `expected a spec of kind ${handler.kind}, found ${job.spec?.spec.case}`,
      );
    const result = await handler.run(context);
    controller.signal.throwIfAborted();
    await keeper.close();
    const ended = await report(options, {
      outcome: { case: "result", value: resultOf(handler.kind, result) },
    });
    if (ended === "lease-lost") return leaseLost(log);
    log.info("attempt succeeded");
    return "succeeded";
  } catch (error) {
    await keeper.close().catch(() => undefined);
    return await reportFailure(options, error, controller.signal, log);
  } finally {
    options.shutdown.removeEventListener("abort", onShutdown);
    stop("shutdown");
  }
}

function resultOf(kind: JobKind, value: unknown) {
  return { result: { case: kind, value: value as object } } as never;
}

async function reportFailure(
  options: AttemptOptions,
  error: unknown,
  signal: AbortSignal,
  log: Logger,
): Promise<AttemptOutcome> {
  const stopped = signal.reason instanceof AttemptStopped ? signal.reason.why : undefined;
  if (stopped === "lease-lost") return leaseLost(log);
  if (stopped !== undefined) {
    const requeue = stopped === "shutdown";
    const ended = await report(options, { requeue, outcome: { case: "cancelled", value: {} } });
    if (ended === "lease-lost") return leaseLost(log);
    log.info(requeue ? "attempt handed back: the service stops" : "attempt cancelled");
    return requeue ? "requeued" : "cancelled";
  }
  const failure = describeFailure(error);
  const partial = error instanceof JobFailure ? error.partialResult : undefined;
  // The reason of a failure that would repeat says it all; where one may pass, somebody will want the stack.
  log.warn({ ...failure, ...(failure.retryable ? { err: error } : {}) }, "attempt failed");
  const outcome: EndInit["outcome"] = { case: "error", value: failure };
  const whole: EndInit =
    partial === undefined ? { outcome } : { outcome, partialResult: resultOf(options.handler.kind, partial) };
  const ended = await report(options, whole).catch((refused: unknown) => {
    if (partial === undefined) throw refused;
    // The reason of the failure must not be lost because what there is of a result cannot be stored.
    log.error({ err: refused }, "the partial result was refused; reporting the failure without it");
    return report(options, { outcome });
  });
  if (ended === "lease-lost") return leaseLost(log);
  return ended?.finishedAt === undefined ? "retrying" : "failed";
}

function leaseLost(log: Logger): AttemptOutcome {
  log.warn("attempt given up: the lease is lost, another worker may hold it");
  return "lease-lost";
}

type EndInit = Parameters<Client<typeof JobWorkerService>["endAttempt"]>[0];

/** Report the end until the control plane has taken it; a lost lease means that somebody else decides. */
async function report(options: AttemptOptions, end: EndInit): Promise<Job | "lease-lost" | undefined> {
  const { client, started, shutdown } = options;
  const patience = deadlineOf(shutdown);
  for (let wait = 200; ; wait = Math.min(wait * 2, 10_000)) {
    try {
      const response = await client.endAttempt({
        ...end,
        jobId: (started.job as Job).id,
        lease: started.lease,
      });
      return response.job;
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Aborted) return "lease-lost";
      if (!mayPass(error) || Date.now() + wait > patience.until()) throw error;
      await pause(wait, shutdown);
    }
  }
}

/** When to give up reporting: sooner once the service stops, counted from the stop. */
function deadlineOf(shutdown: AbortSignal): { until(): number } {
  const last = Date.now() + reportPatienceMs;
  let stoppedAt: number | undefined;
  return {
    until() {
      if (shutdown.aborted) stoppedAt ??= Date.now();
      return stoppedAt === undefined ? last : Math.min(last, stoppedAt + shutdownPatienceMs);
    },
  };
}

/** Wait, but look up when the service begins to stop. */
async function pause(ms: number, shutdown: AbortSignal): Promise<void> {
  const signal = shutdown.aborted ? undefined : shutdown;
  await sleep(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
