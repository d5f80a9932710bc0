import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { ApiError } from "../../errors.ts";
import { noProgress } from "../../schemas/jobs.ts";
import {
  createTestPlane,
  failedWith,
  ingestResult,
  ingestSpec,
  newJob,
  requeued,
  stopped,
  succeeded,
} from "../testing.ts";

const tagged = (tag: string) => (error: unknown) => error instanceof ApiError && error.tag === tag;

suite("creating jobs", () => {
  test("a new job is queued and its message is in the outbox of the same transaction", async (t) => {
    const plane = await createTestPlane(t);
    const { job, created } = await plane.jobs.create(newJob());
    assert.equal(created, true);
    assert.equal(job.state, "queued");
    assert.equal(job.kind, "ingest");
    assert.equal(job.maxAttempts, 5);
    assert.match(job.id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await plane.dispatcher.drain();
    assert.deepEqual(
      plane.publisher.work.map(({ subject, message }) => [subject, message.jobId, message.attempt]),
      [["jobs.ingest.ingest", job.id, 1]],
    );
    assert.deepEqual(
      plane.publisher.facts.map((fact) => fact.subject),
      [`events.job.${job.id}.queued`],
    );
  });

  test("a key makes creation repeat-safe, also after the job has ended, and refuses another spec", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob({ key: "k" }));
    await plane.jobs.cancel(job.id);
    const again = await plane.jobs.create(newJob({ key: "k" }));
    assert.deepEqual([again.created, again.job.id, again.job.state], [false, job.id, "cancelled"]);
    const other = plane.jobs.create(newJob({ key: "k", spec: ingestSpec("other") }));
    await assert.rejects(other, tagged("already_exists"));
  });

  test("parents must exist and may not have failed", async (t) => {
    const plane = await createTestPlane(t);
    await assert.rejects(plane.jobs.create(newJob({ after: ["nonsense"] })), tagged("not_found"));
    const { job } = await plane.jobs.create(newJob());
    await plane.jobs.cancel(job.id);
    await assert.rejects(plane.jobs.create(newJob({ after: [job.id] })), tagged("parent_not_successful"));
  });

  test("a child of succeeded parents is queued at once", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    await plane.jobs.endAttempt(job.id, lease, succeeded());
    const child = await plane.jobs.create(newJob({ after: [job.id, job.id] }));
    assert.deepEqual([child.job.state, child.job.after], ["queued", [job.id]]);
  });
});

suite("attempts", () => {
  test("success ends the job and queues the child that waited for it", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { job: child } = await plane.jobs.create(newJob({ after: [job.id] }));
    assert.equal(child.state, "waiting");
    await assert.rejects(plane.jobs.startAttempt(child.id, "w"), tagged("job_not_ready"));
    const started = await plane.jobs.startAttempt(job.id, "w1");
    assert.deepEqual([started.job.state, started.job.attempt, started.job.worker], ["running", 1, "w1"]);
    const ended = await plane.jobs.endAttempt(job.id, started.lease, succeeded(ingestResult(7n)));
    assert.equal(ended.state, "succeeded");
    assert.deepEqual(ended.result, ingestResult(7n));
    assert.equal((await plane.jobs.get(child.id)).state, "queued");
    await plane.dispatcher.drain();
    assert.deepEqual(
      plane.publisher.work.map(({ message }) => message.jobId),
      [job.id, child.id],
    );
    await assert.rejects(plane.jobs.startAttempt(job.id, "w2"), tagged("job_ended"));
  });

  test("a child waits for the last of its parents", async (t) => {
    const plane = await createTestPlane(t);
    const parents = [(await plane.jobs.create(newJob())).job.id, (await plane.jobs.create(newJob())).job.id];
    const { job: child } = await plane.jobs.create(newJob({ after: parents }));
    for (const [i, id] of parents.entries()) {
      const { lease } = await plane.jobs.startAttempt(id, "w");
      await plane.jobs.endAttempt(id, lease, succeeded());
      assert.equal((await plane.jobs.get(child.id)).state, i === 0 ? "waiting" : "queued");
    }
  });

  test("a failure that may pass is tried again after a growing delay, until attempts are used up", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob({ maxAttempts: 3 }));
    const delays: number[] = [];
    for (const attempt of [1, 2]) {
      const { lease } = await plane.jobs.startAttempt(job.id, "w");
      const { state, nextAttemptAt, error } = await plane.jobs.endAttempt(job.id, lease, failedWith(true));
      assert.deepEqual([state, error?.reason], ["retrying", "bad-file"]);
      delays.push(nextAttemptAt!.getTime() - plane.clock().getTime());
      await assert.rejects(plane.jobs.startAttempt(job.id, "w"), tagged("job_not_ready"));
      await plane.dispatcher.drain();
      assert.equal(plane.publisher.work.length, attempt, "the message waits for its time");
      plane.clock.advance(delays.at(-1)!);
      await plane.dispatcher.drain();
    }
    assert.ok(
      delays[0]! >= 500 && delays[0]! <= 1_000 && delays[1]! >= 1_000 && delays[1]! <= 2_000,
      String(delays),
    );
    assert.deepEqual(
      plane.publisher.work.map(({ message }) => message.attempt),
      [1, 2, 3],
    );
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    const last = await plane.jobs.endAttempt(job.id, lease, failedWith(true, ingestResult(1n)));
    assert.deepEqual([last.state, last.attempt, last.result], ["failed", 3, ingestResult(1n)]);
  });

  test("a failure that will not pass ends the job and fails its descendants, each naming its parent", async (t) => {
    const plane = await createTestPlane(t);
    const { job: a } = await plane.jobs.create(newJob());
    const { job: b } = await plane.jobs.create(newJob({ after: [a.id] }));
    const { job: c } = await plane.jobs.create(newJob({ after: [a.id, b.id] }));
    const { job: d } = await plane.jobs.create(newJob({ after: [c.id] }));
    const { lease } = await plane.jobs.startAttempt(a.id, "w");
    await plane.jobs.endAttempt(a.id, lease, failedWith(false));
    for (const [child, parents] of [
      [b, [a]],
      [c, [a, b]],
      [d, [c]],
    ] as const) {
      const { state, error, finishedAt } = await plane.jobs.get(child.id);
      assert.deepEqual([state, error?.reason, finishedAt], ["failed", "parent-failed", plane.clock()]);
      assert.ok(
        parents.some((parent) => error!.message.includes(parent.id)),
        error!.message,
      );
    }
  });

  test("a lease fences every write", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const first = await plane.jobs.startAttempt(job.id, "w1");
    await assert.rejects(plane.jobs.startAttempt(job.id, "w2"), tagged("lease_held"));
    plane.clock.advance(first.leaseDurationMs - 1);
    await plane.jobs.heartbeat(job.id, first.lease, undefined);
    plane.clock.advance(first.leaseDurationMs - 1);
    await assert.rejects(plane.jobs.startAttempt(job.id, "w2"), tagged("lease_held"));
    plane.clock.advance(1);
    const second = await plane.jobs.startAttempt(job.id, "w2");
    assert.equal(second.job.attempt, 2);
    for (const lease of [first.lease, "", "nonsense"]) {
      await assert.rejects(plane.jobs.heartbeat(job.id, lease, noProgress), tagged("lease_lost"));
      await assert.rejects(plane.jobs.recordItems(job.id, lease, []), tagged("lease_lost"));
      await assert.rejects(plane.jobs.endAttempt(job.id, lease, succeeded()), tagged("lease_lost"));
    }
    await plane.jobs.endAttempt(job.id, second.lease, succeeded());
    assert.equal((await plane.jobs.endAttempt(job.id, second.lease, failedWith(false))).state, "succeeded");
  });

  test("a worker that stops hands the job back without using up the attempt", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob({ maxAttempts: 1 }));
    for (const _ of [1, 2, 3]) {
      const { lease } = await plane.jobs.startAttempt(job.id, "w");
      const back = await plane.jobs.endAttempt(job.id, lease, requeued);
      assert.deepEqual([back.state, back.attempt], ["queued", 0]);
    }
  });

  test("items are checkpoints that the next attempt gets", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const first = await plane.jobs.startAttempt(job.id, "w");
    const item = { key: "a", state: "running", error: undefined, checkpoint: new Uint8Array([1]) } as const;
    const done = { ...item, state: "succeeded", checkpoint: new Uint8Array([2]) } as const;
    const broken = {
      ...item,
      key: "b\0",
      state: "failed",
      error: { reason: "", message: "x", retryable: false },
    } as const;
    await assert.rejects(plane.jobs.recordItems(job.id, first.lease, [broken]), tagged("invalid_argument"));
    await plane.jobs.recordItems(job.id, first.lease, [item, { ...broken, key: "b" }, done]);
    plane.clock.advance(first.leaseDurationMs);
    const second = await plane.jobs.startAttempt(job.id, "w");
    assert.deepEqual(
      second.items.map(({ key, state, checkpoint, error }) => [key, state, [...checkpoint], error?.reason]),
      [
        ["a", "succeeded", [2], undefined],
        ["b", "failed", [1], "internal"],
      ],
    );
  });

  test("progress never goes back within an attempt and starts anew with the next", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { lease, leaseDurationMs } = await plane.jobs.startAttempt(job.id, "w");
    await plane.jobs.heartbeat(job.id, lease, {
      ...noProgress,
      done: 5n,
      total: 9n,
      unit: "cells",
      itemsSucceeded: 2,
    });
    const { revision } = await plane.jobs.get(job.id);
    await plane.jobs.heartbeat(job.id, lease, {
      ...noProgress,
      done: 3n,
      total: 0n,
      itemsSucceeded: 1,
      itemsFailed: -4,
    });
    const { progress, ...same } = await plane.jobs.get(job.id);
    assert.deepEqual(
      [progress.done, progress.total, progress.unit, progress.itemsFailed],
      [5n, 9n, "cells", 0],
    );
    assert.equal(same.revision, revision, "nothing new, nothing to tell");
    plane.clock.advance(leaseDurationMs);
    assert.deepEqual((await plane.jobs.startAttempt(job.id, "w")).job.progress, noProgress);
  });

  test("an outcome must be there, answer the job's kind, and be finite", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    const none = { outcome: { case: undefined }, partialResult: undefined, requeue: false } as const;
    await assert.rejects(plane.jobs.endAttempt(job.id, lease, none), tagged("invalid_argument"));
    const wrong = succeeded({ ...ingestResult(), result: { case: undefined } });
    await assert.rejects(plane.jobs.endAttempt(job.id, lease, wrong), tagged("invalid_argument"));
    assert.equal((await plane.jobs.endAttempt(job.id, lease, succeeded())).state, "succeeded");
  });

  test("texts that Postgres cannot hold are mended, not refused", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    const error = { reason: "x", message: `a\0b${"y".repeat(100_000)}`, retryable: false };
    const failed = {
      outcome: { case: "error", value: error },
      partialResult: undefined,
      requeue: false,
    } as const;
    const ended = await plane.jobs.endAttempt(job.id, lease, failed);
    assert.equal(ended.error?.message.slice(0, 4), "a\u{fffd}by");
    assert.equal(ended.error?.message.length, 16_384);
  });
});

suite("cancelling", () => {
  test("what no worker has is cancelled at once, with everything that waits for it", async (t) => {
    const plane = await createTestPlane(t);
    const { job: a } = await plane.jobs.create(newJob());
    const { job: b } = await plane.jobs.create(newJob({ after: [a.id] }));
    const { job: c } = await plane.jobs.create(newJob({ after: [b.id] }));
    assert.equal((await plane.jobs.cancel(a.id)).state, "cancelled");
    for (const { id } of [b, c]) assert.equal((await plane.jobs.get(id)).state, "cancelled");
    assert.equal((await plane.jobs.cancel(a.id)).state, "cancelled");
    await assert.rejects(plane.jobs.cancel("nonsense"), tagged("not_found"));
  });

  test("the worker of a running job is told and stops it; its children are gone already", async (t) => {
    const plane = await createTestPlane(t);
    const { job } = await plane.jobs.create(newJob());
    const { job: child } = await plane.jobs.create(newJob({ after: [job.id] }));
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    const asked = await plane.jobs.cancel(job.id);
    assert.deepEqual([asked.state, asked.cancelRequested], ["running", true]);
    assert.equal((await plane.jobs.get(child.id)).state, "cancelled");
    assert.deepEqual(await plane.jobs.heartbeat(job.id, lease, undefined), { cancelRequested: true });
    const ended = await plane.jobs.endAttempt(job.id, lease, stopped);
    assert.deepEqual([ended.state, ended.cancelRequested], ["cancelled", false]);
  });

  test("a cancelled job is not tried again", async (t) => {
    const plane = await createTestPlane(t);
    for (const outcome of [failedWith(true), requeued]) {
      const { job } = await plane.jobs.create(newJob());
      const { lease } = await plane.jobs.startAttempt(job.id, "w");
      await plane.jobs.cancel(job.id);
      assert.equal((await plane.jobs.endAttempt(job.id, lease, outcome)).state, "cancelled");
    }
  });
});

test("lists are newest first and page through everything once", async (t) => {
  const plane = await createTestPlane(t);
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) {
    ids.unshift((await plane.jobs.create(newJob())).job.id);
    plane.clock.advance(i === 2 ? 0 : 1);
  }
  const seen: string[] = [];
  let pageToken = "";
  do {
    const page = await plane.jobs.list({ pageSize: 2, pageToken, states: ["queued"], kinds: ["ingest"] });
    seen.push(...page.entries.map((job) => job.id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.deepEqual([...seen].sort(), [...ids].sort());
  assert.deepEqual([seen[0], seen[4]], [ids[0], ids[4]]);
  const bad = { pageSize: 2, pageToken: "bm9uc2Vuc2U", states: [], kinds: [] };
  await assert.rejects(plane.jobs.list(bad), tagged("bad_page_token"));
  await assert.rejects(plane.jobs.list({ ...bad, pageToken: "", pageSize: 501 }), tagged("invalid_argument"));
});
