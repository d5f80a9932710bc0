import type { JobTransaction } from "../../data-manager/job-store.ts";
import { notFound } from "../../errors.ts";
import { isFinal, type JobRecord } from "../../schemas/jobs.ts";
import type { JobContext } from "./settings.ts";
import { end, leaseExpired, parentCancelled, settleChildren } from "./transitions.ts";

/**
 * Stops a job that no worker has, and asks the worker of a running one to stop. What waits for it is cancelled at once in
 * either case: whoever cancels does not want the rest either, even if the worker finishes first.
 */
export async function cancelJob(context: JobContext, id: string): Promise<JobRecord> {
  return await context.store.transaction(async (tx) => {
    const job = await tx.lockGraph(id);
    if (job === undefined) throw notFound("job", id);
    if (isFinal(job.state)) return job;
    if (job.state !== "running" || leaseExpired(job, context.clock()))
      return await end(tx, context, job, "cancelled");
    if (job.cancelRequested) return job;
    const asked = await tx.update(job, { cancelRequested: true });
    await cancelChildren(tx, context, asked);
    return asked;
  });
}

async function cancelChildren(tx: JobTransaction, context: JobContext, parent: JobRecord): Promise<void> {
  for (const child of await tx.lockWaitingChildren(parent.id)) {
    const cancelled = await tx.update(child, {
      state: "cancelled",
      finishedAt: context.clock(),
      error: parentCancelled(parent),
    });
    await settleChildren(tx, context, cancelled);
  }
}
