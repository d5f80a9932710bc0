import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { AnalysisSpecSchema, type JobResult, type JobSpec } from "@cytomesh/contracts/jobs/v1/specs";
import { createInProcessBus, type EventBus } from "@cytomesh/events";
import { createLogger, createMetrics } from "@cytomesh/rpc";
import { defineHandler, type JobContext, type ResultInit } from "./handler.ts";
import { type FakeControlPlane, startFakeControlPlane } from "./testing-control-plane.ts";
import { startJobWorker } from "./worker.ts";

type Run = (context: JobContext<"analysis">) => Promise<ResultInit<"analysis">>;

export interface Bench {
  readonly plane: FakeControlPlane;
  readonly bus: EventBus;
  /** A job of kind analysis, dispatched. */
  submit(): Promise<string>;
  stop(): Promise<void>;
  /** Wait until one attempt has ended so, and no other has ended at all. */
  onlyOutcome(outcome: string): Promise<void>;
}

/** A worker whose jobs of kind analysis are done by `run`. */
export async function bench(t: TestContext, run: Run, leaseMs = 30_000): Promise<Bench> {
  const plane = await startFakeControlPlane(leaseMs);
  const bus = createInProcessBus();
  const metrics = createMetrics("test");
  const worker = await startJobWorker({
    service: "worker",
    worker: "worker@test/1",
    bus,
    client: plane.channel.client(JobWorkerService),
    handlers: [defineHandler("analysis", run)],
    maxInFlight: 4,
    logger: createLogger("test", "silent"),
    metrics,
  });
  t.after(async () => {
    await worker.stop();
    await bus.close();
    await plane.close();
  });
  return {
    plane,
    bus,
    async submit() {
      const id = plane.add(analysis);
      await plane.dispatch(bus, id);
      return id;
    },
    stop: () => worker.stop(),
    async onlyOutcome(outcome) {
      for (;;) {
        const { values } = await metrics.jobAttempts.get();
        if (values.length > 0)
          return assert.deepEqual(
            values.map(({ labels, value }) => [labels.outcome, value]),
            [[outcome, 1]],
          );
        await sleep(5);
      }
    },
  };
}

export const analysis: JobSpec["spec"] = {
  case: "analysis",
  value: create(AnalysisSpecSchema, { uri: "file:///a.h5ad", task: "ListGenes" }),
};

export async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    assert.ok(tries < 2_000, "waited too long");
    await sleep(5);
  }
}

export function resultUriOf(result: JobResult | undefined): string | undefined {
  return result?.result.case === "analysis" ? result.result.value.resultUri : undefined;
}

/** Wait until a signal aborts, and fail with its reason. */
export function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
