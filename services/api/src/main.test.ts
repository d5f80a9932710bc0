import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, type ConnectError } from "@connectrpc/connect";
import { type Job, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { createInProcessBus, type EventBus } from "@cytomesh/events";
import { createLogger, openChannel } from "@cytomesh/rpc";
import { createTestDatabase } from "./data-manager/postgres/testing.ts";
import { startRestartablePostgres } from "./data-manager/postgres/testing-restart.ts";
import { start } from "./main.ts";
import { ingestResult, ingestSpec } from "./services/testing.ts";

/** An api over a database, with clients of it. */
async function startApi(
  t: TestContext,
  databaseUrl: string,
  bus: EventBus,
  more: Record<string, string> = {},
) {
  const dataDir = await mkdtemp(join(tmpdir(), "cytomesh-api-"));
  const api = await start({
    bus,
    logger: createLogger("api", "silent"),
    processMetrics: false,
    env: {
      DATABASE_URL: databaseUrl,
      CYTOMESH_DATA_DIR: dataDir,
      CYTOMESH_GRPC_PORT: "0",
      CYTOMESH_HTTP_PORT: "0",
      CYTOMESH_EDGE_PORT: "0",
      CYTOMESH_RECONCILE_INTERVAL: "200ms",
      CYTOMESH_SHUTDOWN_GRACE: "1s",
      ...more,
    },
  });
  const channel = openChannel(api.address);
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= api.stop();
    return stopped;
  };
  t.after(async () => {
    channel.close();
    await stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  const ready = async () => {
    const response = await fetch(`http://${api.healthAddress}/readyz`);
    return { status: response.status, body: await response.text() };
  };
  return {
    jobs: channel.client(JobService),
    worker: channel.client(JobWorkerService),
    address: api.address,
    ready,
    stop,
  };
}

async function until(what: string, look: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await look()); tries++) {
    assert.ok(tries < 1_500, `waited too long until ${what}`);
    await sleep(10);
  }
}

test("a running api outlives a restart of Postgres: it says so meanwhile, watchers and work go on", async (t) => {
  const postgres = await startRestartablePostgres();
  t.after(() => postgres.close());
  const bus = createInProcessBus();
  t.after(() => bus.close());
  const delivered: string[] = [];
  await bus.consumeWork({ service: "ingest", maxInFlight: 4 }, async (message) => {
    delivered.push(message.messageId);
  });
  const api = await startApi(t, postgres.url, bus);
  const { job } = await api.jobs.createJob({ spec: ingestSpec("a") });
  const seen: JobState[] = [];
  const watching = (async () => {
    for await (const { job: now } of api.jobs.watchJob({ id: (job as Job).id }))
      seen.push((now as Job).state);
  })();
  watching.catch(() => undefined);
  await until("the watcher sees the job", () => seen.length > 0);
  assert.equal((await api.ready()).status, 200);

  await postgres.goAway();
  const away = await api.ready();
  assert.equal(away.status, 503);
  assert.match(away.body, /control database does not answer/);
  await assert.rejects(api.jobs.getJob({ id: (job as Job).id }), { code: Code.Unavailable });
  await postgres.comeBack();

  await until("the api is ready again", async () => (await api.ready()).status === 200);
  const next = await api.jobs.createJob({ spec: ingestSpec("b") });
  await until("both messages are delivered", () => delivered.length === 2);
  assert.deepEqual(
    delivered.map((id) => id.split("/")[0]),
    [job?.id, next.job?.id],
  );
  await api.jobs.cancelJob({ id: (job as Job).id });
  await watching;
  assert.equal(seen.at(-1), JobState.CANCELLED);
});

/** An empty database of its own, which outlives the apis over it. */
async function database(t: TestContext): Promise<string> {
  const { url, close } = await createTestDatabase();
  t.after(close);
  return url;
}

function memoryBus(t: TestContext): EventBus {
  const bus = createInProcessBus();
  t.after(() => bus.close());
  return bus;
}

test("an api that was away for longer than a lease lets workers be heard before it gives their jobs away", async (t) => {
  const [url, bus] = [await database(t), memoryBus(t)];
  const lease = { CYTOMESH_JOB_LEASE: "1500ms", CYTOMESH_RECONCILE_INTERVAL: "50ms" };
  const first = await startApi(t, url, bus, lease);
  const jobId = (await first.jobs.createJob({ spec: ingestSpec() })).job?.id as string;
  const silentId = (await first.jobs.createJob({ spec: ingestSpec() })).job?.id as string;
  const started = await first.worker.startAttempt({ jobId, worker: "w" });
  await first.worker.startAttempt({ jobId: silentId, worker: "dead" });
  await first.stop();
  await sleep(1_600);

  const second = await startApi(t, url, bus, lease);
  await sleep(200);
  await second.worker.heartbeat({ jobId, lease: started.lease });
  await until("the silent worker's job is given away", async () => {
    const { job } = await second.jobs.getJob({ id: silentId });
    return job?.error?.reason === "worker-lost";
  });
  await second.worker.heartbeat({ jobId, lease: started.lease });
  const result = ingestResult();
  const ended = await second.worker.endAttempt({
    ...{ jobId, lease: started.lease },
    outcome: { case: "result", value: result },
  });
  assert.deepEqual([ended.job?.state, ended.job?.attempt], [JobState.SUCCEEDED, 1]);
});

test("a stopping api sends watchers away instead of waiting for them, and they see the end at another replica", async (t) => {
  const [url, bus] = [await database(t), memoryBus(t)];
  const first = await startApi(t, url, bus, { CYTOMESH_SHUTDOWN_GRACE: "10m" });
  const second = await startApi(t, url, bus);
  const id = (await first.jobs.createJob({ spec: ingestSpec() })).job?.id as string;
  const channel = openChannel(`ipv4:${first.address},${second.address}`);
  t.after(() => channel.close());
  const jobs = channel.client(JobService);
  const seen: JobState[] = [];
  let lost = 0;
  const following = (async () => {
    while (seen.at(-1) !== JobState.CANCELLED) {
      try {
        for await (const { job } of jobs.watchJob({ id })) seen.push((job as Job).state);
      } catch (error) {
        assert.equal((error as ConnectError).code, Code.Unavailable);
        lost += 1;
      }
    }
  })();
  const atFirst = assert.rejects(
    async () => {
      for await (const _ of first.jobs.watchJob({ id })) void first.stop();
    },
    { code: Code.Unavailable, rawMessage: "the service is stopping; watch the job again" },
  );
  await atFirst;
  await first.stop();
  await until("the job is seen", () => seen.length > 0);
  await second.jobs.cancelJob({ id });
  await following;
  assert.ok(lost <= 1);
});

test("what one replica changes is seen and dispatched once, whichever replica does it", async (t) => {
  const [url, bus] = [await database(t), memoryBus(t)];
  const delivered: string[] = [];
  await bus.consumeWork({ service: "ingest", maxInFlight: 8 }, async ({ messageId }) => {
    delivered.push(messageId.split("/")[0] as string);
  });
  const [first, second] = [await startApi(t, url, bus), await startApi(t, url, bus)];
  const made = await Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      (i % 2 === 0 ? first : second).jobs.createJob({ spec: ingestSpec(`d${i}`) }),
    ),
  );
  await until("all are delivered", () => delivered.length >= 20);
  assert.deepEqual(delivered.toSorted(), made.map(({ job }) => job?.id).toSorted());
  const id = made[0]?.job?.id as string;
  const states: JobState[] = [];
  for await (const { job } of second.jobs.watchJob({ id })) {
    states.push((job as Job).state);
    if (states.length === 1) await first.jobs.cancelJob({ id });
  }
  assert.deepEqual(states, [JobState.QUEUED, JobState.CANCELLED]);
});
