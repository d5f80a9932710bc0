import type { JobPatch, JobTransaction } from "../../data-manager/job-store.ts";
import { type Failure, isFinal, type JobRecord } from "../../schemas/jobs.ts";
import { type JobContext, retryDelayMs } from "./settings.ts";

/** The fields that say that no worker has the job. */
const FREE = { lease: undefined, leaseExpiresAt: undefined } as const;

/** Makes a job ready for a worker, now. */
export async function queue(
  tx: JobTransaction,
  context: JobContext,
  job: JobRecord,
  patch: JobPatch = {},
): Promise<JobRecord> {
  const queued = await tx.update(job, { ...patch, ...FREE, state: "queued", nextAttemptAt: undefined });
  await tx.dispatch(queued, context.clock());
  return queued;
}

/** Ends a job and does what that means for those that wait for it. */
export async function end(
  tx: JobTransaction,
  context: JobContext,
  job: JobRecord,
  state: "succeeded" | "failed" | "cancelled",
  patch: JobPatch = {},
): Promise<JobRecord> {
  const ended = await tx.update(job, {
    ...patch,
    ...FREE,
    state,
    finishedAt: context.clock(),
    nextAttemptAt: undefined,
    cancelRequested: false,
  });
  await settleChildren(tx, context, ended);
  return ended;
}

/** Does to the waiting jobs below what the end of `parent` asks for, down the whole graph. */
export async function settleChildren(
  tx: JobTransaction,
  context: JobContext,
  parent: JobRecord,
): Promise<void> {
  const open = [parent];
  for (let ended = open.pop(); ended; ended = open.pop()) {
    for (const child of await tx.lockWaitingChildren(ended.id)) {
      const settled = await settleWaiting(tx, context, child);
      if (settled !== undefined && isFinal(settled.state)) open.push(settled);
    }
  }
}

/** Looks at the parents of a locked, waiting job. Undefined when it has to go on waiting. Leaves its own children to the caller. */
export async function settleWaiting(
  tx: JobTransaction,
  context: JobContext,
  child: JobRecord,
): Promise<JobRecord | undefined> {
  const parents = await tx.parentsOf(child.id);
  const failed = parents.find((parent) => parent.state === "failed");
  if (failed)
    return await tx.update(child, {
      state: "failed",
      finishedAt: context.clock(),
      error: parentFailed(failed),
    });
  const cancelled = parents.find((parent) => parent.state === "cancelled");
  if (cancelled)
    return await tx.update(child, {
      state: "cancelled",
      finishedAt: context.clock(),
      error: parentCancelled(cancelled),
    });
  if (!parents.every((parent) => parent.state === "succeeded")) return undefined;
  return await queue(tx, context, child);
}

function parentFailed(parent: JobRecord): Failure {
  const why = parent.error ? ` (${parent.error.reason}: ${parent.error.message})` : "";
  return {
    reason: "parent-failed",
    message: `the ${parent.kind} job ${parent.id}, which this one waited for, failed${why}; mend that and create both again`,
    retryable: false,
  };
}

export function parentCancelled(parent: JobRecord): Failure {
  return {
    reason: "parent-cancelled",
    message: `the ${parent.kind} job ${parent.id}, which this one waited for, was cancelled`,
    retryable: false,
  };
}

/** Tries again later when the failure may pass and attempts are left; else the job has failed. */
export async function retryOrFail(
  tx: JobTransaction,
  context: JobContext,
  job: JobRecord,
  error: Failure,
  patch: JobPatch = {},
): Promise<JobRecord> {
  if (!error.retryable || job.attempt >= job.maxAttempts)
    return await end(tx, context, job, "failed", { ...patch, error });
  const nextAttemptAt = new Date(
    context.clock().getTime() + retryDelayMs(job.attempt, context.settings, context.random),
  );
  const retrying = await tx.update(job, { ...patch, ...FREE, error, state: "retrying", nextAttemptAt });
  await tx.dispatch(retrying, nextAttemptAt);
  return retrying;
}

/** What becomes of a running job whose worker fell silent. */
export async function loseWorker(
  tx: JobTransaction,
  context: JobContext,
  job: JobRecord,
): Promise<JobRecord> {
  if (job.cancelRequested) return await end(tx, context, job, "cancelled");
  const message =
    `worker ${JSON.stringify(job.worker)} sent no heartbeat during attempt ${job.attempt} of ${job.maxAttempts}; ` +
    "it crashed, ran out of memory, or cannot reach the control plane: see its log";
  return await retryOrFail(tx, context, job, { reason: "worker-lost", message, retryable: true });
}

/** Whether the worker of a running job has been silent for too long. */
export const leaseExpired = (job: JobRecord, now: Date): boolean =>
  job.state === "running" && job.leaseExpiresAt !== undefined && job.leaseExpiresAt <= now;
