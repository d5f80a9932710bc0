import type { Job, JobItem } from "@cytomesh/contracts/jobs/v1/job";
import type { JobResult, JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { Logger } from "@cytomesh/rpc";

/** The kinds of job, as the cases of `JobSpec`. */
export type JobKind = Exclude<JobSpec["spec"]["case"], undefined>;

/** The spec of a kind. */
export type SpecOf<K extends JobKind> = Extract<JobSpec["spec"], { case: K }>["value"];

/** The result of a kind. */
export type ResultOf<K extends JobKind> = Extract<JobResult["result"], { case: K }>["value"];

/** A result as a handler returns it: plain fields, no message needed. */
export type ResultInit<K extends JobKind> = Partial<Omit<ResultOf<K>, "$typeName" | "$unknown">>;

/** How far an attempt is; fields left out stay as they are. */
export interface ProgressUpdate {
  readonly done?: number;
  readonly total?: number;
  readonly unit?: string;
  readonly message?: string;
}

/** What an item of a job came to. */
export interface ItemRecord {
  readonly key: string;
  readonly outcome: "running" | "succeeded" | "failed";
  readonly error?: { reason: string; message: string };
  /** Whatever a later attempt needs to skip or resume the item; at most 64 KiB. */
  readonly checkpoint?: Uint8Array;
}

/** What a handler is given for one attempt. */
export interface JobContext<K extends JobKind> {
  readonly job: Job;
  readonly spec: SpecOf<K>;
  readonly attempt: number;
  /** Aborts on cancel, on shutdown, and when the lease is lost. Stop soon; the reason says which. */
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Items recorded by earlier attempts, by key. */
  readonly items: ReadonlyMap<string, JobItem>;
  /** Say how far the attempt is; sent at most a few times per second. */
  progress(update: ProgressUpdate): void;
  /** Say how many items there are in all. */
  expectItems(total: number): void;
  /** Record an item durably. Resolves once it is stored; rejects when the lease is lost. */
  record(item: ItemRecord): Promise<void>;
}

/**
 * How one kind of job is done. A handler may be run again after a crash at any point, with the same spec: every step must either find
 * what an earlier attempt left and use it, or write it so that writing twice leaves the same.
 */
export interface JobHandler<K extends JobKind> {
  readonly kind: K;
  run(context: JobContext<K>): Promise<ResultInit<K>>;
}

/** A handler of any kind, as the worker keeps it. */
export interface AnyJobHandler {
  readonly kind: JobKind;
  run(context: JobContext<JobKind>): Promise<object>;
}

/** Write a handler with its kind's types. */
export function defineHandler<K extends JobKind>(
  kind: K,
  run: (context: JobContext<K>) => Promise<ResultInit<K>>,
): AnyJobHandler {
  return { kind, run: run as unknown as AnyJobHandler["run"] };
}
