import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { ConnectError } from "@connectrpc/connect";
import { ItemState, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { ExtractSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { currentCall, runInCall } from "@cytomesh/rpc";
import { AttemptStopped } from "./attempt.ts";
import { JobFailure } from "./failure.ts";
import { aborted, analysis, bench, resultUriOf, until } from "./testing-bench.ts";

test("a job that succeeds: the handler gets its spec, the control plane its result", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, async ({ spec, attempt, job }) => ({
    resultUri: `${spec.uri}/${spec.task}/${attempt}/${job.worker}`,
  }));
  const id = await submit();
  await until(() => plane.ends.length === 1);
  const { state, result } = plane.job(id);
  assert.equal(state, JobState.SUCCEEDED);
  assert.equal(resultUriOf(result), "file:///a.h5ad/ListGenes/1/worker@test/1");
  await onlyOutcome("succeeded");
});

test("a failure that may pass is reported as retryable, one that would repeat is final", async (t) => {
  const errors = [
    Object.assign(new Error("the store is away"), {
      tag: "store-unavailable",
      grpcCode: "unavailable",
      httpStatus: 503,
    }),
    Object.assign(new Error("not an AnnData file"), {
      tag: "not-anndata",
      grpcCode: "invalid_argument",
      httpStatus: 400,
    }),
  ];
  const { plane, bus, submit } = await bench(t, async () => {
    throw errors.shift();
  });
  const id = await submit();
  await until(() => plane.ends.length === 1);
  assert.equal(plane.job(id).state, JobState.RETRYING);
  assert.deepEqual(
    [plane.job(id).error?.reason, plane.job(id).error?.message, plane.job(id).error?.retryable],
    ["store-unavailable", "the store is away", true],
  );
  await plane.dispatch(bus, id);
  await until(() => plane.ends.length === 2);
  assert.equal(plane.job(id).state, JobState.FAILED);
  assert.equal(plane.job(id).error?.reason, "not-anndata");
  assert.equal(plane.job(id).attempt, 2);
});

test("a job failure carries what there is of a result", async (t) => {
  const { plane, submit } = await bench(t, async () => {
    throw new JobFailure("files-failed", "1 of 2 files failed", {
      partialResult: { resultUri: "file:///half" },
    });
  });
  const id = await submit();
  await until(() => plane.ends.length === 1);
  const { state, result, error } = plane.job(id);
  assert.equal(state, JobState.FAILED);
  assert.equal(error?.reason, "files-failed");
  assert.equal(resultUriOf(result), "file:///half");
});

test("items recorded by an attempt are given to the next one, and each counts once", async (t) => {
  const seen: string[][] = [];
  const { plane, bus, submit } = await bench(t, async ({ items, attempt, record, expectItems }) => {
    seen.push([...items].map(([key, item]) => `${key} ${item.state} ${item.checkpoint.length}`));
    expectItems(3);
    if (attempt === 1) {
      await record({ key: "a", outcome: "running" });
      await record({ key: "a", outcome: "succeeded", checkpoint: Uint8Array.of(7) });
      await record({ key: "b", outcome: "failed", error: { reason: "bad", message: "no" } });
      throw new JobFailure("disk-full", "no space", { retryable: true });
    }
    await record({ key: "a", outcome: "succeeded", checkpoint: Uint8Array.of(7) });
    await record({ key: "b", outcome: "succeeded" });
    await record({ key: "c", outcome: "failed" });
    return {};
  });
  const id = await submit();
  await until(() => plane.ends.length === 1);
  await plane.dispatch(bus, id);
  await until(() => plane.ends.length === 2);
  assert.deepEqual(seen, [[], [`a ${ItemState.SUCCEEDED} 1`, `b ${ItemState.FAILED} 0`]]);
  const { progress } = plane.job(id);
  assert.deepEqual([progress?.itemsSucceeded, progress?.itemsFailed, progress?.itemsTotal], [2, 1, 3]);
  assert.equal(plane.items(id).get("b")?.state, ItemState.SUCCEEDED);
});

test("progress is sent seldom, and the last of it arrives before the end", async (t) => {
  const { plane, submit } = await bench(t, async ({ progress }) => {
    progress({ unit: "cells", total: 1_000.4, message: "counting" });
    for (let done = 0; done <= 1_000; done++) {
      progress({ done });
      if (done % 100 === 0) await sleep(1);
    }
    return {};
  });
  const id = await submit();
  await until(() => plane.ends.length === 1);
  const { progress } = plane.job(id);
  assert.deepEqual(
    [progress?.done, progress?.total, progress?.unit, progress?.message],
    [1_000n, 1_000n, "cells", "counting"],
  );
  assert.ok(plane.heartbeats.length < 20, `${plane.heartbeats.length} heartbeats for 1001 updates`);
});

test("heartbeats keep the lease of a handler that says nothing", async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { plane, submit } = await bench(t, () => held.then(() => ({})), 900);
  const id = await submit();
  await until(() => plane.heartbeats.length >= 3);
  assert.ok(plane.heartbeats.every(({ progress }) => progress === undefined));
  release();
  await until(() => plane.ends.length === 1);
  assert.equal(plane.job(id).state, JobState.SUCCEEDED);
});

test("a cancel aborts the signal and ends the attempt as cancelled, whatever the handler throws", async (t) => {
  let why: unknown;
  const { plane, submit, onlyOutcome } = await bench(
    t,
    async ({ signal }) => {
      await aborted(signal).catch((reason) => {
        why = reason;
      });
      throw new Error("the reader was torn down");
    },
    900,
  );
  const id = await submit();
  await until(() => plane.job(id).state === JobState.RUNNING);
  plane.requestCancel(id);
  await until(() => plane.ends.length === 1);
  assert.ok(why instanceof AttemptStopped);
  assert.equal(why.why, "cancelled");
  assert.equal(plane.ends[0]?.outcome.case, "cancelled");
  assert.equal(plane.ends[0]?.requeue, false);
  assert.equal(plane.job(id).state, JobState.CANCELLED);
  await onlyOutcome("cancelled");
});

test("a cancel is heard when an item is recorded, before the next heartbeat", async (t) => {
  const { plane, submit } = await bench(t, async ({ record, signal, job }) => {
    plane.requestCancel(job.id);
    await record({ key: "a", outcome: "succeeded" });
    signal.throwIfAborted();
    return {};
  });
  const id = await submit();
  await until(() => plane.ends.length === 1);
  assert.equal(plane.job(id).state, JobState.CANCELLED);
});

test("a handler whose lease is lost stops and nothing is reported", async (t) => {
  let why: unknown;
  const { plane, submit, onlyOutcome } = await bench(
    t,
    ({ signal }) =>
      aborted(signal).catch((reason) => {
        why = reason;
        throw reason;
      }),
    900,
  );
  const id = await submit();
  await until(() => plane.job(id).state === JobState.RUNNING);
  plane.takeLease(id);
  await until(() => why !== undefined);
  assert.ok(why instanceof AttemptStopped);
  assert.equal(why.why, "lease-lost");
  await onlyOutcome("lease-lost");
  assert.deepEqual(plane.ends, []);
});

test("recording under a lost lease fails and stops the handler", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, async ({ record, signal, job }) => {
    plane.takeLease(job.id);
    await assert.rejects(record({ key: "a", outcome: "succeeded" }), ConnectError);
    assert.equal((signal.reason as AttemptStopped).why, "lease-lost");
    return {};
  });
  const id = await submit();
  await onlyOutcome("lease-lost");
  assert.deepEqual(plane.ends, []);
  assert.equal(plane.items(id).size, 0);
});

test("a handler that ends well after its lease was lost has its result dropped", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, async ({ job }) => {
    plane.takeLease(job.id);
    return {};
  });
  await submit();
  await onlyOutcome("lease-lost");
  assert.deepEqual(plane.ends, []);
});

test("when the service stops, running jobs are handed back without counting the attempt", async (t) => {
  let why: unknown;
  const { plane, submit, stop, onlyOutcome } = await bench(t, ({ signal }) =>
    aborted(signal).catch((reason) => {
      why = reason;
      throw reason;
    }),
  );
  const id = await submit();
  await until(() => plane.job(id).state === JobState.RUNNING);
  await stop();
  assert.ok(why instanceof AttemptStopped);
  assert.equal(why.why, "shutdown");
  assert.equal(plane.ends.length, 1);
  assert.equal(plane.ends[0]?.requeue, true);
  assert.equal(plane.job(id).state, JobState.QUEUED);
  assert.equal(plane.job(id).attempt, 0);
  await onlyOutcome("requeued");
});

test("an end that cannot be reported because the control plane is away is reported once it is back", async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { plane, submit } = await bench(t, () => held.then(() => ({ resultUri: "file:///done" })));
  const id = await submit();
  await until(() => plane.job(id).state === JobState.RUNNING);
  await plane.goAway();
  release();
  await sleep(300);
  assert.deepEqual(plane.ends, []);
  await plane.comeBack();
  await until(() => plane.ends.length === 1);
  assert.equal(plane.job(id).state, JobState.SUCCEEDED);
});

test("an end whose answer is lost is reported again and counts once", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, async () => ({}));
  plane.answersToLose = 1;
  const id = await submit();
  await onlyOutcome("succeeded");
  assert.equal(plane.ends.length, 1);
  assert.equal(plane.job(id).state, JobState.SUCCEEDED);
});

test("a message that arrives while the control plane is away waits for it", async (t) => {
  const { plane, bus } = await bench(t, async () => ({}));
  const id = plane.add(analysis);
  await plane.goAway();
  await plane.dispatch(bus, id);
  await sleep(50);
  await plane.comeBack();
  await until(() => plane.job(id).state === JobState.SUCCEEDED);
});

test("a job of a kind that the service does not do fails for good and says so", async (t) => {
  const { plane, bus } = await bench(t, async () => ({}));
  const value = create(ExtractSpecSchema, { curriculum: "c" });
  const id = plane.add({ case: "extract", value });
  await plane.dispatch(bus, id);
  await until(() => plane.ends.length === 1);
  const { state, error } = plane.job(id);
  assert.equal(state, JobState.FAILED);
  assert.equal(error?.reason, "no-handler");
  assert.match(error?.message ?? "", /worker has no handler for jobs of kind extract/);
});

test("a job without a spec fails for good", async (t) => {
  const { plane, bus } = await bench(t, async () => ({}));
  const id = plane.add({ case: undefined });
  await plane.dispatch(bus, id);
  await until(() => plane.ends.length === 1);
  assert.equal(plane.job(id).state, JobState.FAILED);
});

test("a message that is no JobDispatched, or of a job that does not exist, becomes a dead letter", async (t) => {
  const { plane, bus } = await bench(t, async () => ({}));
  await bus.publishWork("jobs.worker.analysis", Uint8Array.of(0xff, 0xff, 0xff), { messageId: "garbage" });
  await plane.dispatch(bus, "job-404");
  for (;;) {
    const letters = await bus.deadLetters();
    if (letters.length === 2) {
      const reasons = letters.map(({ reason }) => reason).join("\n");
      assert.match(reasons, /not a JobDispatched message/);
      assert.match(reasons, /no job job-404/);
      return;
    }
    await sleep(5);
  }
});

test("two messages for one job make one attempt", async (t) => {
  let runs = 0;
  const { plane, bus } = await bench(t, async ({ signal }) => {
    runs += 1;
    await until(() => plane.refusals === 1 || signal.aborted);
    return {};
  });
  const id = plane.add(analysis);
  await plane.dispatch(bus, id);
  await plane.dispatch(bus, id);
  await until(() => plane.ends.length === 1);
  await plane.dispatch(bus, id);
  await until(() => plane.refusals === 2);
  assert.equal(runs, 1);
  while ((await bus.pending("worker")).inFlight > 0) await sleep(5);
  assert.deepEqual(await bus.deadLetters(), []);
});

test("an attempt outlives the call in which its message was published", async (t) => {
  let inherited: unknown = "unset";
  const { plane, bus } = await bench(t, async () => {
    inherited = currentCall();
    return {};
  });
  const id = plane.add(analysis);
  const call = { requestId: "r", deadline: Date.now() + 1, signal: AbortSignal.abort() };
  await runInCall(call, () => plane.dispatch(bus, id));
  await until(() => plane.ends.length === 1);
  assert.equal(inherited, undefined);
  assert.equal(plane.job(id).state, JobState.SUCCEEDED);
});
