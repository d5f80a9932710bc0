import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  ItemState,
  type Job,
  type JobError,
  type JobItem,
  JobItemSchema,
  type JobProgress,
  JobSchema,
  JobState,
} from "@cytomesh/contracts/jobs/v1/job";
import type {
  Failure,
  ItemRecord,
  ItemStateName,
  JobRecord,
  JobStateName,
  Progress,
} from "../schemas/jobs.ts";

const stateNumbers: Record<JobStateName, JobState> = {
  waiting: JobState.WAITING,
  queued: JobState.QUEUED,
  running: JobState.RUNNING,
  retrying: JobState.RETRYING,
  succeeded: JobState.SUCCEEDED,
  failed: JobState.FAILED,
  cancelled: JobState.CANCELLED,
};

const itemNumbers: Record<ItemStateName, ItemState> = {
  pending: ItemState.PENDING,
  running: ItemState.RUNNING,
  succeeded: ItemState.SUCCEEDED,
  failed: ItemState.FAILED,
};

function reverse<N extends string>(numbers: Record<N, number>): ReadonlyMap<number, N> {
  return new Map((Object.entries(numbers) as [N, number][]).map(([name, number]) => [number, name]));
}

const stateNames = reverse(stateNumbers);
const itemNames = reverse(itemNumbers);

export const jobStateNumber = (state: JobStateName): JobState => stateNumbers[state];
export const jobStateName = (state: JobState): JobStateName | undefined => stateNames.get(state);
export const itemStateName = (state: ItemState): ItemStateName | undefined => itemNames.get(state);

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
    state: stateNumbers[job.state],
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
    state: itemNumbers[item.state],
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
