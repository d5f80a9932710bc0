import type { ChangeFeed } from "../../data-manager/job-changes.ts";
import { ApiError } from "../../errors.ts";
import { isFinal, type JobRecord } from "../../schemas/jobs.ts";
import { getJob } from "./read-jobs.ts";
import type { JobContext } from "./settings.ts";

// A safety net only: changes arrive by notification, and a reconnection wakes every watcher.
const LOOK_AGAIN_MS = 30_000;

/**
 * The job as it is, then whenever it is newer than what was sent last; changes that come faster than they are taken are
 * skipped, the final state never is. Nothing is buffered. Throws `not_found`, and `unavailable` once `closing` aborts.
 */
export async function* watchJob(
  context: JobContext,
  changes: ChangeFeed,
  id: string,
  signal: AbortSignal,
  closing?: AbortSignal,
): AsyncGenerator<JobRecord> {
  let changed = true;
  let wake = () => {};
  const unsubscribe = changes.subscribe(id, () => {
    changed = true;
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort);
  closing?.addEventListener("abort", onAbort);
  const isClosing = () => closing?.aborted ?? false;
  try {
    let sent = -1n;
    while (!signal.aborted) {
      changed = false;
      const job = await getJob(context, id);
      if (signal.aborted) return;
      if (job.revision > sent) {
        sent = job.revision;
        yield job;
      }
      if (isFinal(job.state)) return;
      // An end without an error would say that the job has ended.
      if (isClosing()) throw new ApiError("unavailable", "the service is stopping; watch the job again");
      if (changed || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_AGAIN_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", onAbort);
    closing?.removeEventListener("abort", onAbort);
  }
}
