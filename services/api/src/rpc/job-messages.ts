import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Job,
  type JobError,
  type JobItem,
  JobItemSchema,
  type JobProgress,
  JobSchema,
} from "@cytomesh/contracts/jobs/v1/job";
import { itemStateNumber, jobStateNumber } from "../schemas/job-states.ts";
import type { Failure, ItemRecord, JobRecord, Progress } from "../schemas/jobs.ts";

const timestamp = (date: Date | undefined) => (date === undefined ? {} : timestampFromDate(date));

function failureInit(error: Failure | undefined) {
  return error === undefined
    ? {}
    : { error: { reason: error.reason, message: error.message, retryable: error.retryable } };
}

export function toJob(job: JobRecord): Job {
  return create(JobSchema, {
    id: job.id,
    kind: job.kind,
    service: job.service,
    state: jobStateNumber(job.state),
    spec: job.spec,
    ...(job.result === undefined ? {} : { result: job.result }),
    progress: { ...job.progress },
    ...failureInit(job.error),
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    createdAt: timestamp(job.createdAt),
    ...(job.startedAt === undefined ? {} : { startedAt: timestamp(job.startedAt) }),
    ...(job.finishedAt === undefined ? {} : { finishedAt: timestamp(job.finishedAt) }),
    ...(job.nextAttemptAt === undefined ? {} : { nextAttemptAt: timestamp(job.nextAttemptAt) }),
    idempotencyKey: job.idempotencyKey ?? "",
    after: [...job.after],
    cancelRequested: job.cancelRequested,
    revision: job.revision,
    worker: job.worker,
  });
}

export function toJobItem(item: ItemRecord): JobItem {
  return create(JobItemSchema, {
    key: item.key,
    state: itemStateNumber(item.state),
    ...failureInit(item.error),
    checkpoint: item.checkpoint,
    updatedAt: timestamp(item.updatedAt),
  });
}

export function fromJobError(error: JobError | undefined): Failure | undefined {
  return error && { reason: error.reason, message: error.message, retryable: error.retryable };
}

export function fromJobProgress(progress: JobProgress): Progress {
  return {
    done: progress.done,
    total: progress.total,
    unit: progress.unit,
    message: progress.message,
    itemsSucceeded: progress.itemsSucceeded,
    itemsFailed: progress.itemsFailed,
    itemsTotal: progress.itemsTotal,
  };
}
