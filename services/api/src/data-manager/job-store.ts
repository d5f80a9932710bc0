import type { JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import type { ItemRecord, ItemStateName, JobRecord, JobStateName } from "../schemas/jobs.ts";

/** What a new job starts with. */
export interface NewJob {
  readonly id: string;
  readonly kind: string;
  readonly service: string;
  readonly state: "waiting" | "queued";
  readonly spec: JobSpec;
  readonly maxAttempts: number;
  readonly idempotencyKey: string | undefined;
  readonly after: readonly string[];
  readonly createdAt: Date;
}

/** Fields of a job that may change. A key that is present with `undefined` clears the field. */
export type JobPatch = Partial<
  Pick<
    JobRecord,
    | "state"
    | "result"
    | "progress"
    | "error"
    | "attempt"
    | "startedAt"
    | "finishedAt"
    | "nextAttemptAt"
    | "cancelRequested"
    | "worker"
    | "lease"
    | "leaseExpiresAt"
    | "endedLease"
  >
>;

/** One page, newest first; `before` is the position after which it begins. */
export interface JobQuery {
  readonly limit: number;
  readonly before: { readonly createdAt: Date; readonly id: string } | undefined;
  readonly states: readonly JobStateName[];
  readonly kinds: readonly string[];
}

export interface ItemQuery {
  readonly limit: number;
  readonly afterKey: string | undefined;
  readonly states: readonly ItemStateName[];
}

/** Jobs inside one transaction. Rows that were locked stay so until it ends. */
export interface JobTransaction {
  /** Locks the row. */
  lock(id: string): Promise<JobRecord | undefined>;
  /**
   * Locks the row and those of all jobs that wait for it, directly or not, in the order of their ids: whoever may end a job
   * begins with this, so that two who end parts of the same graph do not deadlock. Returns the job.
   */
  lockGraph(id: string): Promise<JobRecord | undefined>;
  findByKey(idempotencyKey: string): Promise<JobRecord | undefined>;
  /** Keeps the states of these jobs as they are until the transaction ends. Unknown ids are left out. */
  holdStates(ids: readonly string[]): Promise<JobRecord[]>;
  /** Inserts the job and its edges; undefined when its idempotency key is taken. */
  insert(job: NewJob): Promise<JobRecord | undefined>;
  /** Writes the changes, gives a new revision, wakes watchers and, when the state changed, queues the fact. */
  update(job: JobRecord, patch: JobPatch): Promise<JobRecord>;
  /** Moves the lease's end without a new revision: nobody outside sees a lease. */
  extendLease(id: string, leaseExpiresAt: Date): Promise<void>;
  /** Queues the message for the next attempt, published at `dueAt`. */
  dispatch(job: JobRecord, dueAt: Date): Promise<void>;
  hasPendingDispatch(id: string): Promise<boolean>;
  /** Locks the jobs in state waiting that name this one in `after`. */
  lockWaitingChildren(id: string): Promise<JobRecord[]>;
  parentsOf(id: string): Promise<JobRecord[]>;
  items(jobId: string): Promise<ItemRecord[]>;
  /** Inserts or replaces by key. Keys are distinct. */
  putItems(jobId: string, items: readonly ItemRecord[]): Promise<void>;
}

/** When a message that nobody answered is taken for lost. */
export interface LostMessageRule {
  readonly now: Date;
  /** Age of the newest dispatch after which it is repeated; doubles with every repeat, 32 times at most. */
  readonly lostAfterMs: number;
}

/** The truth of all jobs. Every method throws `ApiError` `unavailable` when the database cannot be reached. */
export interface JobStore {
  /** Runs `work` in one transaction; again, up to five times, after a deadlock. `work` must therefore have no other effects. */
  transaction<T>(work: (tx: JobTransaction) => Promise<T>): Promise<T>;
  get(id: string): Promise<JobRecord | undefined>;
  list(query: JobQuery): Promise<JobRecord[]>;
  listItems(jobId: string, query: ItemQuery): Promise<ItemRecord[]>;
  /** Ids of running jobs whose lease ended before `now`. */
  expiredLeases(now: Date, limit: number): Promise<string[]>;
  /** Ids of queued and due retrying jobs without an outbox row whose message is taken for lost. */
  lostDispatches(rule: LostMessageRule, limit: number): Promise<string[]>;
  /** Ids of waiting jobs none of whose parents can still change, or one of whose parents did not succeed. */
  settledWaiting(limit: number): Promise<string[]>;
}
