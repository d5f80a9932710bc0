import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestPlane, failedWith, newJob, succeeded } from "./testing.ts";

test("a silent worker's job gets its next attempt, and fails as worker-lost when there is none", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob({ maxAttempts: 2 }));
  for (const expected of ["retrying", "failed"]) {
    const { leaseDurationMs } = await plane.jobs.startAttempt(job.id, "w1");
    assert.equal((await plane.reconciler.reconcile()).workersLost, 0);
    plane.clock.advance(leaseDurationMs);
    assert.equal((await plane.reconciler.reconcile()).workersLost, 1);
    const { state, error } = await plane.jobs.get(job.id);
    assert.deepEqual([state, error?.reason], [expected, "worker-lost"]);
    plane.clock.advance(60_000);
  }
  await plane.dispatcher.drain();
  assert.deepEqual(
    plane.publisher.work.map(({ message }) => message.attempt),
    [1, 2],
  );
});

test("a silent worker's job that was to be cancelled is cancelled", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const { leaseDurationMs } = await plane.jobs.startAttempt(job.id, "w1");
  await plane.jobs.cancel(job.id);
  plane.clock.advance(leaseDurationMs);
  await plane.reconciler.reconcile();
  assert.equal((await plane.jobs.get(job.id)).state, "cancelled");
});

test("a lost message is repeated, ever more rarely, and not while it waits in the outbox", async (t) => {
  const plane = await createTestPlane(t, { lostMessageAfterMs: 1_000 });
  const { job } = await plane.jobs.create(newJob());
  plane.clock.advance(10_000);
  assert.equal((await plane.reconciler.reconcile()).redispatched, 0, "it is still in the outbox");
  await plane.dispatcher.drain();
  const repeats: number[] = [];
  for (let second = 0; second < 12; second++) {
    if ((await plane.reconciler.reconcile()).redispatched > 0) repeats.push(second);
    await plane.dispatcher.drain();
    plane.clock.advance(1_000);
  }
  assert.deepEqual(repeats, [0, 2, 6]);
  assert.equal(new Set(plane.publisher.work.map(({ messageId }) => messageId)).size, 4);
  assert.equal((await plane.reconciler.reconcile({ lostAfterMs: 0 })).redispatched, 1);
  await plane.jobs.startAttempt(job.id, "w");
  assert.equal((await plane.reconciler.reconcile({ lostAfterMs: 0 })).redispatched, 0);
});

test("a retry whose message came too early gets another one", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const { lease } = await plane.jobs.startAttempt(job.id, "w");
  const { nextAttemptAt } = await plane.jobs.endAttempt(job.id, lease, failedWith(true));
  await plane.test.database.kysely.deleteFrom("outbox").execute();
  await assert.rejects(plane.jobs.startAttempt(job.id, "w"), { tag: "job_not_ready" });
  plane.clock.advance(nextAttemptAt!.getTime() - plane.clock().getTime());
  await plane.dispatcher.drain();
  assert.deepEqual(
    plane.publisher.work.map(({ message }) => message.attempt),
    [2],
  );
});

test("a waiting job whose parents ended unseen is settled, with all below it", async (t) => {
  const plane = await createTestPlane(t);
  const { kysely } = plane.test.database;
  const { job: parent } = await plane.jobs.create(newJob());
  const { job: child } = await plane.jobs.create(newJob({ after: [parent.id] }));
  const { job: grandchild } = await plane.jobs.create(newJob({ after: [child.id] }));
  const state = { state: "failed", error_reason: "x", error_message: "y", error_retryable: false };
  await kysely
    .updateTable("jobs")
    .set({ ...state, finished_at: plane.clock() })
    .where("id", "=", parent.id)
    .execute();
  assert.equal((await plane.reconciler.reconcile()).settled, 1);
  for (const { id } of [child, grandchild]) assert.equal((await plane.jobs.get(id)).state, "failed");
});

test("a mesh that restarts with a bus that forgot finishes its jobs", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  await plane.dispatcher.drain();
  plane.publisher.work.length = 0;
  await plane.reconciler.reconcile({ lostAfterMs: 0 });
  await plane.dispatcher.drain();
  const { lease } = await plane.jobs.startAttempt(plane.publisher.work[0]!.message.jobId, "w");
  assert.equal((await plane.jobs.endAttempt(job.id, lease, succeeded())).state, "succeeded");
});
