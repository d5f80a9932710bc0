import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ItemState, type JobItem, JobItemSchema, JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { JobSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { AnyJobHandler, JobContext, JobKind } from "@cytomesh/jobs";
import { createLogger } from "@cytomesh/rpc";

/** Items that attempts of a job leave behind, by key. */
export type JobItems = Map<string, JobItem>;

const states = { running: ItemState.RUNNING, succeeded: ItemState.SUCCEEDED, failed: ItemState.FAILED };

type SpecInit = NonNullable<MessageInitShape<typeof JobSpecSchema>["spec"]>;
type ValueOf<K extends JobKind> = Extract<SpecInit, { case: K }>["value"];

/** Run one attempt of a handler, as the job worker would. */
export function attempt<K extends JobKind = "convertFields">(
  handler: AnyJobHandler,
  value: ValueOf<K>,
  items: JobItems = new Map(),
  o: {
    signal?: AbortSignal;
    onRecord?: (key: string, outcome: string) => void;
    onProgress?: (now: Parameters<JobContext<JobKind>["progress"]>[0]) => void;
    number?: number;
  } = {},
): Promise<object> {
  const spec = create(JobSpecSchema, { spec: { case: handler.kind, value } as SpecInit });
  const context: JobContext<JobKind> = {
    job: create(JobSchema, { id: "job-1", kind: handler.kind, spec, maxAttempts: 3 }),
    spec: spec.spec.value as never,
    attempt: o.number ?? 1,
    signal: o.signal ?? new AbortController().signal,
    log: createLogger("test", "silent"),
    items: new Map(items),
    progress: (now) => o.onProgress?.(now),
    expectItems: () => undefined,
    async record({ key, outcome, checkpoint, error }) {
      items.set(
        key,
        create(JobItemSchema, {
          key,
          state: states[outcome],
          checkpoint: checkpoint ?? new Uint8Array(),
          ...(error === undefined ? {} : { error }),
        }),
      );
      o.onRecord?.(key, outcome);
    },
  };
  return handler.run(context);
}
