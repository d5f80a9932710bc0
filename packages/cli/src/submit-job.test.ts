import assert from "node:assert/strict";
import { after, before, mock, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { type Job, JobSchema, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { IngestedFileSchema } from "@cytomesh/contracts/jobs/v1/specs";
import type { MeshClient } from "./client.ts";
import { CliError } from "./errors.ts";
import { type SpecInit, type SubmitOptions, submitJob } from "./submit-job.ts";
import { followJob, summaryOf } from "./watch-job.ts";

const job = (state: JobState, rest: Partial<Job> = {}) =>
  create(JobSchema, { id: "j", state, ...rest } as never);
const { signal } = new AbortController();
const written: string[] = [];
before(() => {
  mock.method(process.stderr, "write", () => true);
});
after(() => mock.restoreAll());

/** A mesh whose jobs are what the test says; `watches` are the streams of watchJob, one per call. */
function fakeMesh(watches: (() => AsyncIterable<{ job: Job | undefined }>)[] = []) {
  const requests: { idempotencyKey: string; after: string[] }[] = [];
  const jobs = {
    async createJob(request: { idempotencyKey: string; after: string[] }) {
      requests.push(request);
      return { job: job(JobState.QUEUED), created: requests.length === 1 };
    },
    watchJob: () => (watches.shift() ?? assert.fail("watched once too often"))(),
  };
  return { requests, mesh: { jobs } as unknown as MeshClient };
}
const stream = (...items: (Job | undefined | Error)[]) =>
  async function* () {
    for (const item of items) {
      if (item instanceof Error) throw item;
      yield { job: item };
    }
  };
const options: SubmitOptions = { title: "t", signal, detach: true, quiet: true };
const ingest = (value: object): SpecInit => ({ case: "ingest", value }) as SpecInit;

test("equal requests have equal keys, in whatever order they were written; others have others", async () => {
  const { mesh, requests } = fakeMesh();
  for (const value of [
    { dataset: "d", uris: ["file:///a"], obsMapping: { a: "x", b: "y" } },
    { obsMapping: { b: "y", a: "x" }, uris: ["file:///a"], dataset: "d" },
    { dataset: "d", uris: ["file:///a"], obsMapping: { a: "x", b: "z" } },
    { dataset: "d", uris: ["file:///b"] },
  ])
    await submitJob(mesh, ingest(value), options);
  const filters = [
    { a__eq: 1, b__in: ["x", "y"] },
    { b__in: ["x", "y"], a__eq: 1 },
    { b__in: ["y", "x"], a__eq: 1 },
  ];
  for (const one of filters)
    await submitJob(mesh, { case: "prepare", value: { curriculum: "c", filters: one } }, options);
  const keys = requests.map(({ idempotencyKey }) => idempotencyKey);
  assert.equal(keys[0], keys[1]);
  assert.equal(keys[4], keys[5]);
  assert.equal(new Set(keys).size, 5);
  assert.ok(keys.every((key) => /^cli-[0-9a-f]{32}$/.test(key)));
  // What is in use must find its job after an update.
  assert.equal(keys[3], "cli-922efd5eace455a9466da79f334ad0a1");
});

test("a key of the caller's is taken as it is, and a new job gets one of its own, so that a retried call makes one job", async () => {
  const { mesh, requests } = fakeMesh();
  const spec = ingest({ dataset: "d" });
  await submitJob(mesh, spec, { ...options, key: "mine", after: ["before"] });
  await submitJob(mesh, spec, { ...options, key: "mine", new: true });
  assert.deepEqual([requests[0]?.idempotencyKey, requests[0]?.after], ["mine", ["before"]]);
  assert.match(requests[1]?.idempotencyKey ?? "", /^cli-new-[0-9a-f-]{36}$/);
  assert.deepEqual(requests[1]?.after, []);
});

test("detached, the id goes to standard output unless the caller prints", async () => {
  const output = mock.method(process.stdout, "write", (text: string) => written.push(text) > 0);
  try {
    await submitJob(fakeMesh().mesh, ingest({}), { ...options, quiet: false });
    await submitJob(fakeMesh().mesh, ingest({}), options);
  } finally {
    output.mock.restore();
  }
  assert.deepEqual(written, ["j\n"]);
});

test("a watched job ends in success, or in an error with its reason and exit code", async () => {
  const watch = (end: Job) =>
    submitJob(fakeMesh([stream(job(JobState.RUNNING), end)]).mesh, ingest({}), { ...options, detach: false });
  assert.equal((await watch(job(JobState.SUCCEEDED))).state, JobState.SUCCEEDED);
  const error = { reason: "files-failed", message: "bad \u001b[2J name" } as Job["error"];
  for (const [end, exitCode, message] of [
    [job(JobState.FAILED, { error }), 1, /^job j failed \(files-failed\): bad \?\[2J name$/],
    [job(JobState.CANCELLED), 3, /^job j was cancelled$/],
  ] as const)
    await assert.rejects(watch(end), (thrown) => {
      assert.ok(thrown instanceof CliError);
      assert.equal(thrown.exitCode, exitCode);
      assert.match(thrown.message, message);
      return true;
    });
});

test("a job is followed across broken streams, but not beyond a refusal or an interruption", async () => {
  const away = new ConnectError("away", Code.Unavailable);
  const { mesh } = fakeMesh([
    stream(job(JobState.QUEUED), away),
    stream(undefined),
    stream(job(JobState.SUCCEEDED)),
  ]);
  const states: JobState[] = [];
  const ended = await followJob(mesh, "j", (now) => states.push(now.state), signal);
  assert.equal(ended.state, JobState.SUCCEEDED);
  assert.deepEqual(states, [JobState.QUEUED, JobState.SUCCEEDED]);
  const gone = new ConnectError("there is no such job", Code.NotFound);
  await assert.rejects(
    followJob(fakeMesh([stream(gone)]).mesh, "j", () => undefined, signal),
    /no such job/,
  );
  const controller = new AbortController();
  const following = followJob(fakeMesh([stream(away)]).mesh, "j", () => undefined, controller.signal);
  setImmediate(() => controller.abort(new Error("interrupted")));
  await assert.rejects(following, { name: "AbortError" });
});

test("an ingest that wrote nothing says why", () => {
  const summary = (...outcomes: number[]) =>
    summaryOf(
      create(JobSchema, {
        id: "j",
        result: {
          result: {
            case: "ingest",
            value: {
              cells: 1_500n,
              files: outcomes.map((outcome) => create(IngestedFileSchema, { outcome } as never)),
            },
          },
        },
      }),
    );
  assert.equal(summary(1), "1,500 cells of 1 file(s)");
  assert.equal(summary(1, 2, 2), "1,500 cells of 3 file(s), 2 already there");
  assert.equal(summary(4), "1,500 cells of 1 file(s), 1 valid, nothing written");
});
