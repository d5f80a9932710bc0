import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ItemState, type JobItem, JobItemSchema, JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { type JobSpec, JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { AnyJobHandler, JobContext, JobKind, ProgressUpdate } from "@cytomesh/jobs";
import { createLogger } from "@cytomesh/rpc";

/** What attempts of a job leave behind. */
export interface JobState {
  readonly items: Map<string, JobItem>;
  readonly progress: ProgressUpdate[];
  expected: number;
}

/** A job without attempts. */
export function newJob(): JobState {
  return { items: new Map(), progress: [], expected: 0 };
}

/** Run one attempt of a handler, as the job worker would. */
export function attempt(
  handler: AnyJobHandler,
  spec: MessageInitShape<typeof JobSpecSchema>["spec"],
  state: JobState = newJob(),
  o: { signal?: AbortSignal; onRecord?: (key: string) => void } = {},
): Promise<object> {
  const full: JobSpec = create(JobSpecSchema, { spec } as never);
  const context: JobContext<JobKind> = {
    job: create(JobSchema, { id: "job-1", kind: handler.kind, spec: full }),
    spec: full.spec.value as never,
    attempt: 1,
    signal: o.signal ?? new AbortController().signal,
    log: createLogger("test", "silent"),
    items: new Map(state.items),
    progress: (update) => void state.progress.push(update),
    expectItems: (total) => {
      state.expected = total;
    },
    async record({ key, checkpoint }) {
      state.items.set(
        key,
        create(JobItemSchema, {
          key,
          state: ItemState.SUCCEEDED,
          checkpoint: checkpoint ?? new Uint8Array(),
        }),
      );
      o.onRecord?.(key);
    },
  };
  return handler.run(context);
}
