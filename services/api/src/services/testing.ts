import { create, fromBinary } from "@bufbuild/protobuf";
import { type JobDispatched, JobDispatchedSchema } from "@cytomesh/contracts/events/v1/events";
import {
  IngestResultSchema,
  IngestSpecSchema,
  type JobResult,
  JobResultSchema,
  type JobSpec,
  JobSpecSchema,
} from "@cytomesh/contracts/jobs/v1/specs";
import { createTestDatabase, type TestDatabase } from "../data-manager/postgres/testing.ts";
import type { WorkPublisher } from "../schemas/publisher.ts";
import { type RandomBytes, silentLogger } from "../schemas/runtime.ts";
import { type ControlPlane, createControlPlane } from "./control-plane.ts";

/** A clock that stands still until it is moved. */
export interface FakeClock {
  (): Date;
  advance(ms: number): void;
}

export function createFakeClock(start = "2026-01-01T00:00:00.000Z"): FakeClock {
  let now = Date.parse(start);
  return Object.assign(() => new Date(now), {
    advance(ms: number) {
      now += ms;
    },
  });
}

/** xorshift32: the same bytes in every run. */
export function seededRandom(seed = 1): RandomBytes {
  let state = seed;
  return (count) =>
    Uint8Array.from({ length: count }, () => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return state & 0xff;
    });
}

export interface RecordingPublisher extends WorkPublisher {
  readonly work: { subject: string; messageId: string; message: JobDispatched }[];
  readonly facts: { subject: string; payload: Uint8Array }[];
  /** Makes publishing fail while set. */
  failure: Error | undefined;
}

export function createRecordingPublisher(): RecordingPublisher {
  const publisher: RecordingPublisher = {
    work: [],
    facts: [],
    failure: undefined,
    async publishWork(subject, payload, { messageId }) {
      if (publisher.failure) throw publisher.failure;
      publisher.work.push({ subject, messageId, message: fromBinary(JobDispatchedSchema, payload) });
    },
    async publishFact(subject, payload) {
      if (publisher.failure) throw publisher.failure;
      publisher.facts.push({ subject, payload });
    },
  };
  return publisher;
}

/** Where to say what is to be done when the test ends; the context of `node:test` fits. */
export interface TestEnd {
  after(work: () => Promise<void>): void;
}

export interface TestPlane extends ControlPlane {
  readonly test: TestDatabase;
  readonly clock: FakeClock;
  readonly publisher: RecordingPublisher;
}

/** A control plane on a database of its own, with a clock that stands still; nothing runs by itself. */
export async function createTestPlane(
  end: TestEnd,
  options: { lostMessageAfterMs?: number } = {},
): Promise<TestPlane> {
  const test = await createTestDatabase();
  const clock = createFakeClock();
  const publisher = createRecordingPublisher();
  const plane = createControlPlane({
    database: test.database,
    publisher,
    clock,
    random: seededRandom(),
    logger: silentLogger,
    layout: {
      dataset: (name) => `file:///store/datasets/${name}`,
      ingest: (dataset, id) => `file:///store/datasets/${dataset}/ingests/${id}`,
    },
    ...options,
  });
  end.after(async () => {
    await plane.stop();
    await test.close();
  });
  return { ...plane, test, clock, publisher };
}

/** A valid ingest spec. */
export function ingestSpec(dataset = "pbmc"): JobSpec {
  const value = create(IngestSpecSchema, { dataset, uris: ["file:///data/pbmc.h5ad"] });
  return create(JobSpecSchema, { spec: { case: "ingest", value } });
}

/** A valid answer to it. */
export function ingestResult(cells = 3n): JobResult {
  return create(JobResultSchema, {
    result: { case: "ingest", value: create(IngestResultSchema, { cells }) },
  });
}

/** What CreateJob needs, for an ingest. */
export const newJob = (
  options: { key?: string; after?: string[]; maxAttempts?: number; spec?: JobSpec } = {},
) => ({
  spec: options.spec ?? ingestSpec(),
  idempotencyKey: options.key ?? "",
  after: options.after ?? [],
  maxAttempts: options.maxAttempts ?? 0,
});

export const succeeded = (result = ingestResult()) =>
  ({ outcome: { case: "result", value: result }, partialResult: undefined, requeue: false }) as const;

export const failedWith = (retryable: boolean, partialResult?: JobResult) =>
  ({
    outcome: {
      case: "error",
      value: { reason: "bad-file", message: "expected HDF5, found text", retryable },
    },
    partialResult,
    requeue: false,
  }) as const;

export const stopped = { outcome: { case: "cancelled" }, partialResult: undefined, requeue: false } as const;
export const requeued = { outcome: { case: undefined }, partialResult: undefined, requeue: true } as const;
