import type { JobResult, JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { ChangeFeed } from "../../data-manager/job-changes.ts";
import type { JobStore } from "../../data-manager/job-store.ts";
import type {
  Failure,
  ItemRecord,
  ItemStateName,
  JobRecord,
  JobStateName,
  Progress,
} from "../../schemas/jobs.ts";
import { type Clock, type RandomBytes, systemClock, systemRandom } from "../../schemas/runtime.ts";
import { endAttempt, heartbeat, recordItems, startAttempt } from "./attempts.ts";
import { cancelJob } from "./cancel-job.ts";
import { createJob } from "./create-job.ts";
import { getJob, listJobItems, listJobs } from "./read-jobs.ts";
import { defaultJobSettings, type JobContext, type JobSettings } from "./settings.ts";
import { watchJob } from "./watch-job.ts";

export interface CreateJob {
  readonly spec?: JobSpec | undefined;
  /** Empty: always a new job. */
  readonly idempotencyKey: string;
  readonly after: readonly string[];
  /** 0: the default. */
  readonly maxAttempts: number;
}

/** How an attempt ended. `requeue` wins over everything but a result. */
export interface AttemptOutcome {
  readonly outcome:
    | { readonly case: "result"; readonly value: JobResult }
    | { readonly case: "error"; readonly value: Failure }
    | { readonly case: "cancelled" }
    | { readonly case: undefined };
  readonly partialResult: JobResult | undefined;
  readonly requeue: boolean;
}

export interface Page<T> {
  readonly entries: T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Everything that happens to jobs, as documented in `jobs/v1/job_service.proto` and `job_worker_service.proto`. */
export interface Jobs {
  create(request: CreateJob): Promise<{ job: JobRecord; created: boolean }>;
  get(id: string): Promise<JobRecord>;
  list(request: {
    pageSize: number;
    pageToken: string;
    states: readonly JobStateName[];
    kinds: readonly string[];
  }): Promise<Page<JobRecord>>;
  listItems(request: {
    jobId: string;
    pageSize: number;
    pageToken: string;
    states: readonly ItemStateName[];
  }): Promise<Page<ItemRecord>>;
  /** The job now and after changes until it has ended. Ends early, without error, when `signal` aborts. Throws `unavailable` when the service stops. */
  watch(id: string, signal: AbortSignal): AsyncIterable<JobRecord>;
  cancel(id: string): Promise<JobRecord>;
  startAttempt(
    id: string,
    worker: string,
  ): Promise<{ job: JobRecord; lease: string; leaseDurationMs: number; items: ItemRecord[] }>;
  heartbeat(id: string, lease: string, progress: Progress | undefined): Promise<{ cancelRequested: boolean }>;
  recordItems(
    id: string,
    lease: string,
    items: readonly Omit<ItemRecord, "updatedAt">[],
  ): Promise<{ cancelRequested: boolean }>;
  endAttempt(id: string, lease: string, outcome: AttemptOutcome): Promise<JobRecord>;
}

export interface JobsDeps {
  readonly store: JobStore;
  readonly changes: ChangeFeed;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
  readonly settings?: Partial<JobSettings>;
  /** Aborts when the service stops: watches end then. */
  readonly closing?: AbortSignal;
}

export function createJobs(deps: JobsDeps): Jobs {
  const context: JobContext = {
    store: deps.store,
    clock: deps.clock ?? systemClock,
    random: deps.random ?? systemRandom,
    settings: { ...defaultJobSettings, ...deps.settings },
  };
  return {
    create: (request) => createJob(context, request),
    get: (id) => getJob(context, id),
    list: (request) => listJobs(context, request),
    listItems: (request) => listJobItems(context, request),
    watch: (id, signal) => watchJob(context, deps.changes, id, signal, deps.closing),
    cancel: (id) => cancelJob(context, id),
    startAttempt: (id, worker) => startAttempt(context, id, worker),
    heartbeat: (id, lease, progress) => heartbeat(context, id, lease, progress),
    recordItems: (id, lease, items) => recordItems(context, id, lease, items),
    endAttempt: (id, lease, outcome) => endAttempt(context, id, lease, outcome),
  };
}
