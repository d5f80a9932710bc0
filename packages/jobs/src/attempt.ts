import { create } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  ItemState,
  type Job,
  type JobItem,
  type JobProgress,
  JobProgressSchema,
} from "@cytomesh/contracts/jobs/v1/job";
import type { JobWorkerService, StartAttemptResponse } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { Logger } from "@cytomesh/rpc";
import { describeFailure, JobFailure } from "./failure.ts";
import type { AnyJobHandler, ItemRecord, JobContext, JobKind, ProgressUpdate } from "./handler.ts";

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

/** Progress is sent at most this often, in ms: fast enough for a terminal, slow enough for the database. */
const progressIntervalMs = 400;

/** How long the end of an attempt is tried to be reported while the control plane is away, in ms. */
const reportPatienceMs = 10 * 60_000;

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
    log,
    progress: initialProgress(started.items),
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

function initialProgress(items: readonly JobItem[]): JobProgress {
  const count = (state: ItemState) => items.filter((item) => item.state === state).length;
  return create(JobProgressSchema, {
    itemsSucceeded: count(ItemState.SUCCEEDED),
    itemsFailed: count(ItemState.FAILED),
    itemsTotal: items.length,
  });
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
  log.warn({ err: error, reason: failure.reason, retryable: failure.retryable }, "attempt failed");
  const ended = await report(options, {
    outcome: { case: "error", value: failure },
    ...(partial === undefined ? {} : { partialResult: resultOf(options.handler.kind, partial) }),
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
  const { client, started } = options;
  const until = Date.now() + reportPatienceMs;
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
      const transient =
        error instanceof ConnectError &&
        (error.code === Code.Unavailable ||
          error.code === Code.DeadlineExceeded ||
          error.code === Code.Internal);
      if (!transient || Date.now() + wait > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

interface KeeperOptions {
  readonly client: Client<typeof JobWorkerService>;
  readonly jobId: string;
  readonly lease: string;
  readonly leaseMs: number;
  readonly stop: (why: AttemptStopped["why"]) => void;
  readonly log: Logger;
  readonly progress: JobProgress;
}

/** Keeps the lease alive, sends progress when it changed, and turns "cancel requested" and "lease lost" into an abort. */
function keepLease(options: KeeperOptions) {
  const { client, jobId, lease, leaseMs, stop, log } = options;
  const progress = options.progress;
  let changed = false;
  let lastBeat = Date.now();
  let closed = false;
  let beating: Promise<void> | undefined;

  const beat = async () => {
    const send = changed;
    changed = false;
    try {
      const response = await client.heartbeat(
        { jobId, lease, ...(send ? { progress: create(JobProgressSchema, progress) } : {}) },
        { timeoutMs: Math.max(1_000, leaseMs / 3) },
      );
      lastBeat = Date.now();
      if (response.cancelRequested) stop("cancelled");
    } catch (error) {
      if (send) changed = true;
      if (error instanceof ConnectError && (error.code === Code.Aborted || error.code === Code.NotFound))
        stop("lease-lost");
      else if (Date.now() - lastBeat > leaseMs) {
        log.error({ err: error }, "no heartbeat for a whole lease");
        stop("lease-lost");
      }
    }
  };
  const timer = setInterval(() => {
    const due = changed || Date.now() - lastBeat > leaseMs / 3;
    if (closed || !due || beating !== undefined) return;
    beating = beat().finally(() => {
      beating = undefined;
    });
  }, progressIntervalMs);

  const touch = () => {
    changed = true;
  };
  const fenced = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof ConnectError && error.code === Code.Aborted) stop("lease-lost");
      throw error;
    }
  };
  return {
    update(update: ProgressUpdate): void {
      if (update.done !== undefined) progress.done = BigInt(Math.max(0, Math.round(update.done)));
      if (update.total !== undefined) progress.total = BigInt(Math.max(0, Math.round(update.total)));
      if (update.unit !== undefined) progress.unit = update.unit;
      if (update.message !== undefined) progress.message = update.message;
      touch();
    },
    expectItems(total: number): void {
      progress.itemsTotal = total;
      touch();
    },
    async record(item: ItemRecord): Promise<void> {
      const state = { running: ItemState.RUNNING, succeeded: ItemState.SUCCEEDED, failed: ItemState.FAILED }[
        item.outcome
      ];
      const response = await fenced(() =>
        client.recordItems({
          jobId,
          lease,
          items: [
            {
              key: item.key,
              state,
              ...(item.error === undefined ? {} : { error: { ...item.error, retryable: false } }),
              ...(item.checkpoint === undefined ? {} : { checkpoint: item.checkpoint }),
            },
          ],
        }),
      );
      lastBeat = Date.now();
      if (item.outcome === "succeeded") progress.itemsSucceeded += 1;
      if (item.outcome === "failed") progress.itemsFailed += 1;
      touch();
      if (response.cancelRequested) stop("cancelled");
    },
    /** Stop beating and send the last progress. */
    async close(): Promise<void> {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      await beating;
      if (changed) await beat();
    },
  };
}
