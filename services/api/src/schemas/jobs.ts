import type { JobResult, JobSpec } from "@cytomesh/contracts/jobs/v1/specs";

export const jobStates = [
  "waiting",
  "queued",
  "running",
  "retrying",
  "succeeded",
  "failed",
  "cancelled",
] as const;
export type JobStateName = (typeof jobStates)[number];

export const itemStates = ["pending", "running", "succeeded", "failed"] as const;
export type ItemStateName = (typeof itemStates)[number];

/** Whether a job in this state never changes again. */
export const isFinal = (state: JobStateName): boolean =>
  state === "succeeded" || state === "failed" || state === "cancelled";

export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
}

export interface Progress {
  readonly done: bigint;
  readonly total: bigint;
  readonly unit: string;
  readonly message: string;
  readonly itemsSucceeded: number;
  readonly itemsFailed: number;
  readonly itemsTotal: number;
}

export const noProgress: Progress = {
  done: 0n,
  total: 0n,
  unit: "",
  message: "",
  itemsSucceeded: 0,
  itemsFailed: 0,
  itemsTotal: 0,
};

/** A job as the control database holds it: the public `Job` and what fences its workers. */
export interface JobRecord {
  readonly id: string;
  readonly kind: string;
  readonly service: string;
  readonly state: JobStateName;
  readonly spec: JobSpec;
  readonly result: JobResult | undefined;
  readonly progress: Progress;
  readonly error: Failure | undefined;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly createdAt: Date;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly nextAttemptAt: Date | undefined;
  readonly idempotencyKey: string | undefined;
  readonly after: readonly string[];
  readonly cancelRequested: boolean;
  readonly revision: bigint;
  readonly worker: string;
  /** Token of the worker that may write; set exactly while running. */
  readonly lease: string | undefined;
  readonly leaseExpiresAt: Date | undefined;
  /** Token whose EndAttempt was taken last, so that repeating it is harmless. */
  readonly endedLease: string | undefined;
}

export interface ItemRecord {
  readonly key: string;
  readonly state: ItemStateName;
  readonly error: Failure | undefined;
  readonly checkpoint: Uint8Array;
  readonly updatedAt: Date;
}
