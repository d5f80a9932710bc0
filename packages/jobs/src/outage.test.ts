import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { JobState } from "@cytomesh/contracts/jobs/v1/job";
import { AttemptStopped } from "./attempt.ts";
import { JobFailure } from "./failure.ts";
import { aborted, bench, until } from "./testing-bench.ts";

test("a control plane that restarts in the middle of an attempt finds the same lease kept and the end reported", async (t) => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { plane, submit, onlyOutcome } = await bench(
    t,
    async ({ progress, signal }) => {
      progress({ done: 1 });
      await held;
      signal.throwIfAborted();
      return {};
    },
    6_000,
  );
  const id = await submit();
  await until(() => plane.heartbeats.length > 0);
  const lease = plane.heartbeats[0]?.lease;
  await plane.goAway();
  await sleep(700);
  await plane.comeBack();
  const before = plane.heartbeats.length;
  await until(() => plane.heartbeats.length > before);
  release();
  await onlyOutcome("succeeded");
  assert.equal(plane.job(id).attempt, 1);
  assert.ok(plane.heartbeats.every((beat) => beat.lease === lease));
  assert.equal(plane.ends[0]?.lease, lease);
});

test("a control plane that is away for a whole lease means that another worker may have the job", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, ({ signal }) => aborted(signal), 900);
  const id = await submit();
  await until(() => plane.job(id).state === JobState.RUNNING);
  await plane.goAway();
  await onlyOutcome("lease-lost");
});

test("an item is recorded once the control plane stores again, without doing the work again", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(t, async ({ record }) => {
    plane.recordsToLose = 3;
    await record({ key: "a", outcome: "succeeded" });
    return {};
  });
  const id = await submit();
  await onlyOutcome("succeeded");
  assert.equal(plane.job(id).attempt, 1);
  assert.deepEqual([plane.items(id).size, plane.job(id).progress?.itemsSucceeded], [1, 1]);
});

test("an item that the control plane cannot record for a whole lease fails the attempt", async (t) => {
  const { plane, submit } = await bench(
    t,
    async ({ record }) => {
      plane.recordsToLose = Number.POSITIVE_INFINITY;
      await record({ key: "a", outcome: "succeeded" });
      return {};
    },
    1_000,
  );
  const id = await submit();
  await until(() => plane.ends.length === 1);
  assert.deepEqual(
    [plane.job(id).state, plane.job(id).error?.message],
    [JobState.RETRYING, "the database is away"],
  );
});

test("a job that is to be cancelled does not wait for items that cannot be recorded", async (t) => {
  const { plane, submit, stop, onlyOutcome } = await bench(t, async ({ record }) => {
    plane.recordsToLose = Number.POSITIVE_INFINITY;
    setTimeout(() => void stop(), 150);
    await record({ key: "a", outcome: "succeeded" });
    return {};
  });
  await submit();
  await onlyOutcome("requeued");
  assert.equal(plane.ends[0]?.requeue, true);
});

test("a partial result that is refused does not hide why the job failed", async (t) => {
  const { plane, submit } = await bench(t, async () => {
    throw new JobFailure("files-failed", "1 of 2 files failed", { partialResult: { resultUri: "x" } });
  });
  plane.refusePartial = true;
  const id = await submit();
  await until(() => plane.ends.length === 1);
  assert.deepEqual([plane.job(id).state, plane.job(id).error?.reason], [JobState.FAILED, "files-failed"]);
});

test("progress that is no number neither throws at the handler nor stops the heartbeats", async (t) => {
  const { plane, submit, onlyOutcome } = await bench(
    t,
    async ({ progress, expectItems, signal }) => {
      expectItems(2.4);
      progress({ done: 5, total: 10 });
      progress({ done: Number.NaN, total: Number.POSITIVE_INFINITY });
      expectItems(Number.NaN);
      progress({ done: 6 });
      await sleep(1_200);
      if (signal.aborted) throw new AttemptStopped("lease-lost");
      return {};
    },
    900,
  );
  const id = await submit();
  await onlyOutcome("succeeded");
  const { progress } = plane.job(id);
  assert.deepEqual([progress?.done, progress?.total, progress?.itemsTotal], [6n, 10n, 2]);
});
