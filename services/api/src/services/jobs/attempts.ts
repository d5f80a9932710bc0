import type { JobTransaction } from "../../data-manager/job-store.ts";
import { ApiError, notFound, throwViolations } from "../../errors.ts";
import { createChecks } from "../../schemas/checks.ts";
import {
  type Failure,
  type ItemRecord,
  isFinal,
  type JobRecord,
  noProgress,
  type Progress,
} from "../../schemas/jobs.ts";
import type { AttemptOutcome } from "./jobs.ts";
import { answersKind } from "./kinds.ts";
import { advance } from "./progress.ts";
import { checkResult } from "./result-checks.ts";
import type { JobContext } from "./settings.ts";
import { end, leaseExpired, loseWorker, queue, retryOrFail } from "./transitions.ts";

const LEASE_BYTES = 24;
const MAX_WORKER = 256;
const MAX_KEY = 4_096;
const MAX_CHECKPOINT_BYTES = 1024 * 1024;

/** Locks the job and proves that the caller holds its lease. A lease that ran out counts until somebody else takes the job. */
async function fenced(tx: JobTransaction, id: string, lease: string): Promise<JobRecord> {
  const job = await tx.lock(id);
  if (job?.state === "running" && job.lease === lease && lease !== "") return job;
  const now = job === undefined ? "there is no such job" : `the job is ${job.state}`;
  throw new ApiError(
    "lease_lost",
    `this worker does not hold the lease of job ${id.slice(0, 64)}: ${now}; stop working on it`,
  );
}

const leaseEnd = (context: JobContext): Date =>
  new Date(context.clock().getTime() + context.settings.leaseDurationMs);

/** Begins an attempt. Errors: see `JobWorkerService.StartAttempt`. */
export async function startAttempt(
  context: JobContext,
  id: string,
  worker: string,
): Promise<{ job: JobRecord; lease: string; leaseDurationMs: number; items: ItemRecord[] }> {
  const checks = createChecks();
  checks.text("worker", worker, MAX_WORKER);
  throwViolations("the request", checks.violations);
  const lease = Buffer.from(context.random(LEASE_BYTES)).toString("hex");
  const started = await context.store.transaction(async (tx) => {
    const found = await tx.lock(id);
    if (found === undefined) throw notFound("job", id);
    const refused = await refusal(tx, context, found);
    // Returned, not thrown: what the refusal changed must be committed.
    if (refused) return refused;
    const now = context.clock();
    const job = await tx.update(found, {
      state: "running",
      attempt: found.attempt + 1,
      startedAt: found.startedAt ?? now,
      nextAttemptAt: undefined,
      progress: noProgress,
      worker,
      lease,
      leaseExpiresAt: leaseEnd(context),
      endedLease: undefined,
      error: undefined,
    });
    return { job, items: await tx.items(job.id) };
  });
  if (started instanceof ApiError) throw started;
  return { ...started, lease, leaseDurationMs: context.settings.leaseDurationMs };
}

/** Why the job cannot be started now; undefined when it can. */
async function refusal(
  tx: JobTransaction,
  context: JobContext,
  job: JobRecord,
): Promise<ApiError | undefined> {
  const now = context.clock();
  if (isFinal(job.state)) return new ApiError("job_ended", `job ${job.id} has ended: ${job.state}`);
  if (job.state === "waiting")
    return new ApiError(
      "job_not_ready",
      `job ${job.id} waits for the jobs ${job.after.slice(0, 10).join(", ")}`,
    );
  if (job.state === "retrying" && job.nextAttemptAt !== undefined && job.nextAttemptAt > now) {
    // The message that brought the worker here is spent; without another one the job would wait for the reconciler.
    if (!(await tx.hasPendingDispatch(job.id))) await tx.dispatch(job, job.nextAttemptAt);
    return new ApiError(
      "job_not_ready",
      `job ${job.id} is tried again at ${job.nextAttemptAt.toISOString()}, not before`,
    );
  }
  if (job.state !== "running") return undefined;
  if (!leaseExpired(job, now)) {
    return new ApiError(
      "lease_held",
      `worker ${JSON.stringify(job.worker)} holds the lease of job ${job.id} until ${job.leaseExpiresAt?.toISOString()}`,
    );
  }
  if (!job.cancelRequested && job.attempt < job.maxAttempts) return undefined;
  const ended = await loseWorker(tx, context, job);
  return new ApiError("job_ended", `job ${job.id} has ended: ${ended.state}`);
}

/** Keeps the lease. Errors: see `JobWorkerService.Heartbeat`. */
export async function heartbeat(
  context: JobContext,
  id: string,
  lease: string,
  progress: Progress | undefined,
): Promise<{ cancelRequested: boolean }> {
  return await context.store.transaction(async (tx) => {
    const job = await fenced(tx, id, lease);
    const next = progress && advance(job.progress, progress);
    if (next) await tx.update(job, { progress: next, leaseExpiresAt: leaseEnd(context) });
    else await tx.extendLease(job.id, leaseEnd(context));
    return { cancelRequested: job.cancelRequested };
  });
}

/** Records items, the last of each key, and keeps the lease. Errors: see `JobWorkerService.RecordItems`, `invalid_argument`. */
export async function recordItems(
  context: JobContext,
  id: string,
  lease: string,
  items: readonly Omit<ItemRecord, "updatedAt">[],
): Promise<{ cancelRequested: boolean }> {
  const checks = createChecks();
  for (const [i, item] of items.entries()) {
    checks.text(`items[${i}].key`, item.key, MAX_KEY);
    checks.range(`items[${i}].checkpoint`, item.checkpoint.length, 0, MAX_CHECKPOINT_BYTES);
  }
  throwViolations("the request", checks.violations);
  const updatedAt = context.clock();
  const distinct = new Map(
    items.map((item) => [item.key, { ...item, error: item.error && named(item.error), updatedAt }]),
  );
  return await context.store.transaction(async (tx) => {
    const job = await fenced(tx, id, lease);
    await tx.putItems(job.id, [...distinct.values()]);
    await tx.extendLease(job.id, leaseEnd(context));
    return { cancelRequested: job.cancelRequested };
  });
}

const named = (error: Failure): Failure => ({ ...error, reason: error.reason || "internal" });

/** Ends the attempt. Repeating the call that ended it returns the job. Errors: see `JobWorkerService.EndAttempt`. */
export async function endAttempt(
  context: JobContext,
  id: string,
  lease: string,
  request: AttemptOutcome,
): Promise<JobRecord> {
  const { outcome, requeue } = request;
  if (outcome.case === undefined && !requeue)
    throwViolations("the request", [
      { field: "outcome", description: "expected result, error or cancelled, found none" },
    ]);
  return await context.store.transaction(async (tx) => {
    const known = await tx.lockGraph(id);
    if (known !== undefined && lease !== "" && known.endedLease === lease) return known;
    const job = await fenced(tx, id, lease);
    checkOutcome(job, request);
    const patch = {
      endedLease: lease,
      ...(request.partialResult === undefined ? {} : { result: request.partialResult }),
    };
    if (outcome.case === "result")
      return await end(tx, context, job, "succeeded", { ...patch, result: outcome.value, error: undefined });
    const mayPass = requeue || (outcome.case === "error" && outcome.value.retryable);
    if (outcome.case === "cancelled" || (job.cancelRequested && mayPass))
      return await end(tx, context, job, "cancelled", patch);
    if (requeue || outcome.case !== "error")
      return await queue(tx, context, job, { ...patch, attempt: job.attempt - 1 });
    return await retryOrFail(tx, context, job, named(outcome.value), patch);
  });
}

function checkOutcome(job: JobRecord, { outcome, partialResult }: AttemptOutcome): void {
  const checks = createChecks();
  const results = [
    { field: "result", value: outcome.case === "result" ? outcome.value : undefined },
    { field: "partial_result", value: partialResult },
  ];
  for (const { field, value } of results) {
    if (value === undefined) continue;
    if (!answersKind(value, job.kind))
      checks.add(field, `expected a result of kind ${job.kind}, found ${value.result.case ?? "none"}`);
    checkResult(checks, field, value);
  }
  throwViolations("the outcome", checks.violations);
}
