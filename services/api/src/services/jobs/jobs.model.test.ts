import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ApiError } from "../../errors.ts";
import { isFinal, type JobStateName } from "../../schemas/jobs.ts";
import {
  createTestPlane,
  failedWith,
  newJob,
  requeued,
  stopped,
  succeeded,
  type TestPlane,
} from "../testing.ts";

const LEASE_MS = 30_000;

/** What the test knows of a job without asking. */
interface ModelJob {
  readonly id: string;
  readonly after: readonly string[];
  final: JobStateName | undefined;
  /** Every lease given out for it, newest last, with the time at which it ends when nobody takes it over. */
  leases: { token: string; ended: boolean; expiresAt: number }[];
}

interface Model {
  readonly jobs: ModelJob[];
}

let plane: TestPlane;

const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];
const nowMs = () => plane.clock().getTime();

/** Runs a call that may be refused; other errors fail the test. */
async function mayRefuse<T>(call: Promise<T>, ...tags: string[]): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    assert.ok(error instanceof ApiError && tags.includes(error.tag), String(error));
    return undefined;
  }
}

/** Everything that must hold after every step. */
async function checkAll(model: Model): Promise<void> {
  // An acknowledged create is never lost: get throws when it is.
  const jobs = await Promise.all(model.jobs.map((known) => plane.jobs.get(known.id)));
  const states = new Map(jobs.map((job) => [job.id, job.state]));
  for (const [i, job] of jobs.entries()) {
    const known = model.jobs[i]!;
    // A job that has ended stays as it ended, and has no lease.
    if (known.final) assert.equal(job.state, known.final);
    if (isFinal(job.state)) {
      known.final = job.state;
      assert.ok(job.finishedAt && job.lease === undefined);
      if (job.state === "failed") assert.ok(job.error && job.error.reason !== "");
    }
    assert.ok(job.attempt <= job.maxAttempts);
    // A child waits exactly as long as all may still succeed and not all have.
    const parents = job.after.map((id) => states.get(id)!);
    const lost = parents.some((state) => state === "failed" || state === "cancelled");
    const ready = parents.every((state) => state === "succeeded");
    if (job.state === "waiting") assert.ok(!lost && !ready, `waits for ${parents}`);
    else if (job.state !== "failed" && job.state !== "cancelled")
      assert.ok(ready, `${job.state} after ${parents}`);
  }
}

class Create implements fc.AsyncCommand<Model, null> {
  readonly parents: readonly number[];
  readonly maxAttempts: number;
  constructor(parents: readonly number[], maxAttempts: number) {
    this.parents = parents;
    this.maxAttempts = maxAttempts;
  }
  check = () => true;
  async run(model: Model) {
    const wanted = [
      ...new Set(this.parents.map((i) => pick(model.jobs, i)?.id).filter((id) => id !== undefined)),
    ];
    const request = newJob({ after: wanted, maxAttempts: this.maxAttempts });
    const made = await mayRefuse(plane.jobs.create(request), "parent_not_successful");
    if (made) {
      model.jobs.push({ id: made.job.id, after: wanted, final: undefined, leases: [] });
    } else {
      const states = await Promise.all(wanted.map(async (id) => (await plane.jobs.get(id)).state));
      assert.ok(states.some((state) => state === "failed" || state === "cancelled"));
    }
    await checkAll(model);
  }
  toString = () => `create(after ${this.parents.join(",")}; ${this.maxAttempts} attempts)`;
}

class Start implements fc.AsyncCommand<Model, null> {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
  check = (model: Readonly<Model>) => model.jobs.length > 0;
  async run(model: Model) {
    const known = pick(model.jobs, this.index)!;
    const call = plane.jobs.startAttempt(known.id, "model");
    const started = await mayRefuse(call, "job_ended", "job_not_ready", "lease_held");
    if (started) {
      // Never two valid leases: whatever was given out before has ended or run out.
      for (const lease of known.leases) assert.ok(lease.ended || lease.expiresAt <= nowMs());
      for (const lease of known.leases) lease.ended = true;
      known.leases.push({ token: started.lease, ended: false, expiresAt: nowMs() + LEASE_MS });
      // A child never runs before its parents succeeded.
      for (const id of known.after) assert.equal((await plane.jobs.get(id)).state, "succeeded");
    }
    await checkAll(model);
  }
  toString = () => `start(${this.index})`;
}

type Ending = "succeed" | "fail" | "failRetryable" | "stop" | "requeue" | "heartbeat";
const outcomes = {
  succeed: succeeded(),
  fail: failedWith(false),
  failRetryable: failedWith(true),
  stop: stopped,
  requeue: requeued,
};

class Write implements fc.AsyncCommand<Model, null> {
  readonly index: number;
  readonly leaseIndex: number;
  readonly what: Ending;
  constructor(index: number, leaseIndex: number, what: Ending) {
    this.index = index;
    this.leaseIndex = leaseIndex;
    this.what = what;
  }
  check = (model: Readonly<Model>) => (pick(model.jobs, this.index)?.leases.length ?? 0) > 0;
  async run(model: Model) {
    const known = pick(model.jobs, this.index)!;
    const lease = pick(known.leases.toReversed(), this.leaseIndex)!;
    const before = await plane.jobs.get(known.id);
    const current = before.lease === lease.token;
    const repeated = before.endedLease === lease.token;
    if (this.what === "heartbeat") {
      const kept = await mayRefuse(plane.jobs.heartbeat(known.id, lease.token, undefined), "lease_lost");
      assert.equal(kept !== undefined, current);
      if (kept) lease.expiresAt = nowMs() + LEASE_MS;
    } else {
      const ended = await mayRefuse(
        plane.jobs.endAttempt(known.id, lease.token, outcomes[this.what]),
        "lease_lost",
      );
      assert.equal(ended !== undefined, current || repeated);
      // Repeating an end changes nothing.
      if (repeated) assert.equal(ended?.revision, before.revision);
      if (ended) lease.ended = true;
    }
    await checkAll(model);
  }
  toString = () => `${this.what}(${this.index}, lease ${this.leaseIndex})`;
}

/** Good work, which random steps seldom do. */
class Finish extends Start {
  override async run(model: Model) {
    await super.run(model);
    const known = pick(model.jobs, this.index)!;
    const lease = known.leases.at(-1);
    if (lease === undefined || lease.ended) return;
    await mayRefuse(plane.jobs.endAttempt(known.id, lease.token, succeeded()), "lease_lost");
    lease.ended = true;
    await checkAll(model);
  }
  override toString = () => `finish(${this.index})`;
}

class Pass implements fc.AsyncCommand<Model, null> {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  async run() {
    plane.clock.advance(this.ms);
  }
  toString = () => `pass(${this.ms} ms)`;
}

class Cancel implements fc.AsyncCommand<Model, null> {
  readonly index: number;
  constructor(index: number) {
    this.index = index;
  }
  check = (model: Readonly<Model>) => model.jobs.length > 0;
  async run(model: Model) {
    const job = await plane.jobs.cancel(pick(model.jobs, this.index)!.id);
    assert.ok(isFinal(job.state) || (job.state === "running" && job.cancelRequested));
    await checkAll(model);
  }
  toString = () => `cancel(${this.index})`;
}

class Reconcile implements fc.AsyncCommand<Model, null> {
  check = () => true;
  async run(model: Model) {
    await plane.reconciler.reconcile();
    await checkAll(model);
  }
  toString = () => "reconcile";
}

/** Whoever gets a message works well from now on: then every job must end. */
async function workOff(model: Model): Promise<void> {
  for (let round = 0; round < 40; round++) {
    await plane.reconciler.reconcile();
    await plane.dispatcher.drain();
    for (const { message } of plane.publisher.work.splice(0)) {
      const call = plane.jobs.startAttempt(message.jobId, "good");
      const started = await mayRefuse(call, "job_ended", "job_not_ready", "lease_held");
      if (started) await plane.jobs.endAttempt(message.jobId, started.lease, succeeded());
    }
    await checkAll(model);
    if (model.jobs.every((job) => job.final)) return;
    plane.clock.advance(61_000);
  }
  const open = await Promise.all(model.jobs.filter((job) => !job.final).map((job) => plane.jobs.get(job.id)));
  assert.fail(`never ended: ${open.map((job) => `${job.id} ${job.state}`).join(", ")}`);
}

test("whatever happens to jobs, leases exclude each other, parents come first, and every job ends once", async (t) => {
  plane = await createTestPlane(t);
  const index = fc.nat({ max: 7 });
  const ending = fc.constantFrom<Ending>("succeed", "fail", "failRetryable", "stop", "requeue", "heartbeat");
  const commands = fc.commands(
    [
      fc
        .tuple(fc.array(index, { maxLength: 3 }), fc.integer({ min: 1, max: 3 }))
        .map((a) => new Create(...a)),
      index.map((i) => new Start(i)),
      index.map((i) => new Finish(i)),
      fc.tuple(index, fc.nat({ max: 1 }), ending).map((a) => new Write(...a)),
      fc.tuple(index, fc.constant(0), ending).map((a) => new Write(...a)),
      fc.constantFrom(100, 2_000, LEASE_MS).map((ms) => new Pass(ms)),
      index.map((i) => new Cancel(i)),
      fc.constant(new Reconcile()),
    ],
    // fast-check keeps lists short unless told; short histories show nothing.
    { maxCommands: 60, size: "max" },
  );
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const model: Model = { jobs: [] };
      await fc.asyncModelRun(() => ({ model, real: null }), list);
      await workOff(model);
    }),
    { numRuns: Number(process.env.CYTOMESH_TEST_RUNS ?? 20), seed: 20_260_101 },
  );
});
