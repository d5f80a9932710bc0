import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiError } from "../../errors.ts";
import { createTestPlane, failedWith, newJob, succeeded } from "../testing.ts";

const times = <T>(count: number, work: (i: number) => Promise<T>) =>
  Promise.allSettled(Array.from({ length: count }, (_, i) => work(i)));

const won = <T>(results: PromiseSettledResult<T>[]): T[] =>
  results.filter((result) => result.status === "fulfilled").map((result) => result.value);

const tags = (results: PromiseSettledResult<unknown>[]) =>
  new Set(results.filter((r) => r.status === "rejected").map((r) => (r.reason as ApiError).tag));

test("of many workers that start a job one wins and the others are told so", async (t) => {
  const plane = await createTestPlane(t);
  const { job } = await plane.jobs.create(newJob());
  const results = await times(20, (i) => plane.jobs.startAttempt(job.id, `w${i}`));
  assert.equal(won(results).length, 1);
  assert.deepEqual(tags(results), new Set(["lease_held"]));
  assert.equal((await plane.jobs.get(job.id)).worker, won(results)[0]!.job.worker);
});

test("many creations with one key make one job and one message", async (t) => {
  const plane = await createTestPlane(t);
  const results = won(await times(20, () => plane.jobs.create(newJob({ key: "same" }))));
  assert.equal(results.length, 20);
  assert.equal(new Set(results.map(({ job }) => job.id)).size, 1);
  assert.equal(results.filter(({ created }) => created).length, 1);
  await plane.dispatcher.drain();
  assert.equal(plane.publisher.work.length, 1);
});

test("a child of parents that end at the same time is queued once", async (t) => {
  const plane = await createTestPlane(t);
  const parents = won(await times(8, () => plane.jobs.create(newJob()))).map(({ job }) => job.id);
  const { job: child } = await plane.jobs.create(newJob({ after: parents }));
  const leases = await Promise.all(parents.map((id) => plane.jobs.startAttempt(id, "w")));
  const ends = await times(8, (i) => plane.jobs.endAttempt(parents[i]!, leases[i]!.lease, succeeded()));
  assert.equal(won(ends).length, 8);
  assert.equal((await plane.jobs.get(child.id)).state, "queued");
  await plane.dispatcher.drain();
  assert.equal(plane.publisher.work.filter(({ message }) => message.jobId === child.id).length, 1);
});

test("a child made while its parent ends is neither lost nor left waiting", async (t) => {
  const plane = await createTestPlane(t);
  for (let round = 0; round < 5; round++) {
    const { job } = await plane.jobs.create(newJob());
    const { lease } = await plane.jobs.startAttempt(job.id, "w");
    const outcome = round % 2 === 0 ? succeeded() : failedWith(false);
    const [made] = await Promise.allSettled([
      ...Array.from({ length: 4 }, () => plane.jobs.create(newJob({ after: [job.id] }))),
      plane.jobs.endAttempt(job.id, lease, outcome),
    ]);
    if (made?.status !== "fulfilled" || !("created" in made.value)) continue;
    const { state } = await plane.jobs.get(made.value.job.id);
    assert.equal(state, round % 2 === 0 ? "queued" : "failed");
  }
});

test("cancelling a graph from several ends at once leaves every job cancelled", async (t) => {
  const plane = await createTestPlane(t);
  for (let round = 0; round < 5; round++) {
    const roots = won(await times(3, () => plane.jobs.create(newJob()))).map(({ job }) => job.id);
    const ids = [...roots];
    for (let i = 0; i < 6; i++)
      ids.push((await plane.jobs.create(newJob({ after: ids.slice(-3 - (i % 2)) }))).job.id);
    const results = await times(ids.length, (i) => plane.jobs.cancel(ids[ids.length - 1 - i]!));
    assert.equal(
      won(results).length,
      ids.length,
      String(results.find((r) => r.status === "rejected")?.reason),
    );
    for (const id of ids) assert.equal((await plane.jobs.get(id)).state, "cancelled");
  }
});
