import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { type FieldViolation, throwViolations } from "../errors.ts";
import { itemStateName } from "../schemas/job-states.ts";
import type { AttemptOutcome, Jobs } from "../services/jobs/jobs.ts";
import { fromJobError, fromJobProgress, toJob, toJobItem } from "./job-messages.ts";

export interface JobWorkerServiceDeps {
  readonly jobs: Jobs;
}

/** JobWorkerService of `jobs/v1/job_worker_service.proto`. */
export function createJobWorkerServiceImpl(deps: JobWorkerServiceDeps): ServiceImpl<typeof JobWorkerService> {
  const { jobs } = deps;
  return {
    async startAttempt(request) {
      const started = await jobs.startAttempt(request.jobId, request.worker);
      return {
        job: toJob(started.job),
        lease: started.lease,
        leaseDuration: durationFromMs(started.leaseDurationMs),
        items: started.items.map(toJobItem),
      };
    },
    async heartbeat(request) {
      const progress = request.progress && fromJobProgress(request.progress);
      return await jobs.heartbeat(request.jobId, request.lease, progress);
    },
    async recordItems(request) {
      const violations: FieldViolation[] = [];
      const items = request.items.map((item, i) => {
        const state = itemStateName(item.state);
        if (state === undefined)
          violations.push({
            field: `items[${i}].state`,
            description: `no item state has the number ${item.state}`,
          });
        return {
          key: item.key,
          state: state ?? "pending",
          error: fromJobError(item.error),
          checkpoint: item.checkpoint,
        } as const;
      });
      throwViolations("the request", violations);
      return await jobs.recordItems(request.jobId, request.lease, items);
    },
    async endAttempt(request) {
      const { outcome } = request;
      const ended: AttemptOutcome["outcome"] =
        outcome.case === "error"
          ? { case: "error", value: fromJobError(outcome.value)! }
          : outcome.case === "cancelled"
            ? { case: "cancelled" }
            : outcome;
      const job = await jobs.endAttempt(request.jobId, request.lease, {
        outcome: ended,
        partialResult: request.partialResult,
        requeue: request.requeue,
      });
      return { job: toJob(job) };
    },
  };
}
