import assert from "node:assert/strict";
import { test } from "node:test";
import pg from "pg";
import { noProgress } from "../../schemas/jobs.ts";
import { createTestPlane, newJob, succeeded } from "../testing.ts";

const open = () => new AbortController().signal;

test("a watcher sees the job now, what it takes in time, and always the end", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const seen: [string, bigint][] = [];
  const revisions: bigint[] = [];
  let working: Promise<unknown> | undefined;
  for await (const now of plane.jobs.watch(job.id, open())) {
    seen.push([now.state, now.progress.done]);
    revisions.push(now.revision);
    working ??= (async () => {
      const { lease } = await plane.jobs.startAttempt(job.id, "w");
      for (let done = 1n; done <= 20n; done++)
        await plane.jobs.heartbeat(job.id, lease, { ...noProgress, done });
      await plane.jobs.endAttempt(job.id, lease, succeeded());
    })();
  }
  await working;
  assert.equal(seen[0]![0], "queued");
  assert.deepEqual(seen.at(-1), ["succeeded", 20n]);
  assert.ok(
    revisions.every((revision, i) => i === 0 || revision > revisions[i - 1]!),
    "only newer ones",
  );
});

test("a slow watcher skips what is in between, not the end", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const states: string[] = [];
  for await (const now of plane.jobs.watch(job.id, open())) {
    states.push(now.state);
    if (states.length > 1) continue;
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    await plane.jobs.heartbeat(job.id, lease, { ...noProgress, done: 1n });
    await plane.jobs.endAttempt(job.id, lease, succeeded());
  }
  assert.deepEqual(states, ["queued", "succeeded"]);
});

test("an ended job is sent once, an unknown one is not found", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  await plane.jobs.cancel(job.id);
  const states = await Array.fromAsync(plane.jobs.watch(job.id, open()), (now) => now.state);
  assert.deepEqual(states, ["cancelled"]);
  await assert.rejects(Array.fromAsync(plane.jobs.watch("nonsense", open())), { tag: "not_found" });
});

test("an aborted watcher ends and lets go of everything", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const controller = new AbortController();
  const states: string[] = [];
  for await (const now of plane.jobs.watch(job.id, controller.signal)) {
    states.push(now.state);
    setImmediate(() => controller.abort());
  }
  assert.deepEqual(states, ["queued"]);
});

test("watchers live through the loss of the connection that listens", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const killer = new pg.Client({ connectionString: plane.test.url });
  await killer.connect();
  const states: string[] = [];
  for await (const now of plane.jobs.watch(job.id, open())) {
    states.push(now.state);
    if (states.length > 1) continue;
    await killer.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cytomesh-listen' AND datname = current_database()",
    );
    await plane.jobs.cancel(job.id);
  }
  await killer.end();
  assert.equal(states.at(-1), "cancelled");
});
