import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ItemState, type JobItem, JobItemSchema, JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { type JobSpec, JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { createLogger } from "@cytomesh/rpc";
import type { AnyJobHandler, ItemRecord, JobContext, JobKind, ProgressUpdate } from "./handler.ts";

/** What the attempts of a job leave behind, as the control plane would keep it. */
export interface JobRun {
  readonly items: Map<string, JobItem>;
  readonly progress: ProgressUpdate[];
  expected: number;
}

/** A job without attempts. */
export function newJobRun(): JobRun {
  return { items: new Map(), progress: [], expected: 0 };
}

/** How a test runs an attempt. */
export interface AttemptOptions {
  readonly signal?: AbortSignal;
  /** Which attempt it is, from 1. */
  readonly number?: number;
  readonly maxAttempts?: number;
  readonly jobId?: string;
  /** Told before an item is stored; what it throws is what the control plane's absence would do. */
  beforeRecord?(item: ItemRecord): void;
  /** Told when an item is stored. */
  onRecord?(key: string): void;
}

const states = { running: ItemState.RUNNING, succeeded: ItemState.SUCCEEDED, failed: ItemState.FAILED };

/** Run one attempt of a handler as the job worker would, without a control plane: for the tests of services. */
export function attempt(
  handler: AnyJobHandler,
  spec: MessageInitShape<typeof JobSpecSchema>["spec"],
  run: JobRun = newJobRun(),
  o: AttemptOptions = {},
): Promise<object> {
  const full: JobSpec = create(JobSpecSchema, { spec } as never);
  const { jobId = "job-1", maxAttempts = 3 } = o;
  const context: JobContext<JobKind> = {
    job: create(JobSchema, { id: jobId, kind: handler.kind, spec: full, maxAttempts }),
    spec: full.spec.value as never,
    attempt: o.number ?? 1,
    signal: o.signal ?? new AbortController().signal,
    log: createLogger("test", "silent"),
    items: new Map(run.items),
    progress: (update) => void run.progress.push(update),
    expectItems: (total) => {
      run.expected = total;
    },
    async record(item) {
      o.beforeRecord?.(item);
      const { key, outcome, checkpoint, error } = item;
      const stored = { key, state: states[outcome], checkpoint: checkpoint ?? new Uint8Array() };
      run.items.set(key, create(JobItemSchema, { ...stored, ...(error === undefined ? {} : { error }) }));
      o.onRecord?.(key);
    },
  };
  return handler.run(context);
}
