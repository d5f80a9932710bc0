import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { JobState } from "@cytomesh/contracts/jobs/v1/job";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { connectJetStream, findNatsServer, startNatsServer } from "@cytomesh/events";
import { defineHandler, startJobWorker } from "@cytomesh/jobs";
import { createLogger, createMetrics, openChannel } from "@cytomesh/rpc";
import { createTestDatabase } from "../../services/api/src/data-manager/postgres/testing.ts";
import { start } from "../../services/api/src/main.ts";
import { ingestSpec } from "../../services/api/src/services/testing.ts";

const found = await findNatsServer();
const skip = found !== undefined || process.env.CI_REQUIRE_NATS ? false : "needs nats-server 2.10 or newer";

test("a mesh whose nats-server is killed and comes back ends every job once", { skip }, async (t) => {
  const bin = found?.path as string;
  const dir = await mkdtemp(join(tmpdir(), "cytomesh-bus-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const nats = await startNatsServer({ bin, dir: join(dir, "nats"), syncAlways: true });
  const port = Number(new URL(nats.url).port);
  const postgres = await createTestDatabase();
  t.after(postgres.close);
  const logger = createLogger("test", "silent");
  const api = await start({
    logger,
    processMetrics: false,
    env: {
      DATABASE_URL: postgres.url,
      NATS_URL: nats.url,
      CYTOMESH_DATA_DIR: dir,
      CYTOMESH_GRPC_PORT: "0",
      CYTOMESH_HTTP_PORT: "0",
      CYTOMESH_EDGE_PORT: "0",
      CYTOMESH_SHUTDOWN_GRACE: "1s",
    },
  });
  t.after(() => api.stop());
  const channel = openChannel(api.address);
  t.after(() => channel.close());
  const bus = await connectJetStream({ servers: nats.url, name: "worker", logger });
  t.after(() => bus.close());
  const runs = new Map<string, number>();
  const worker = await startJobWorker({
    ...{ service: "ingest", worker: "ingest@test/1", bus, logger, maxInFlight: 2 },
    client: channel.client(JobWorkerService),
    handlers: [
      defineHandler("ingest", async ({ job }) => {
        runs.set(job.id, (runs.get(job.id) ?? 0) + 1);
        await sleep(100);
        return {};
      }),
    ],
    metrics: createMetrics("test"),
  });
  t.after(() => worker.stop());
  const jobs = channel.client(JobService);
  const ids: string[] = [];
  const create = async (count: number) => {
    for (let i = 0; i < count; i++)
      ids.push((await jobs.createJob({ spec: ingestSpec() })).job?.id as string);
  };
  const ready = async () => (await fetch(`http://${api.healthAddress}/readyz`)).status;

  await create(10);
  while (runs.size < 3) await sleep(5);
  process.kill(nats.pid, "SIGKILL");
  await nats.stop();
  while ((await ready()) !== 503) await sleep(20);
  // Jobs are taken while the bus is away, and running ones end.
  await create(5);
  await sleep(300);
  const again = await startNatsServer({ bin, dir: join(dir, "nats"), port, syncAlways: true });
  t.after(() => again.stop());
  for (const id of ids) {
    let last: JobState | undefined;
    for await (const { job } of jobs.watchJob({ id })) last = job?.state;
    assert.equal(last, JobState.SUCCEEDED);
  }
  assert.deepEqual([...runs.keys()].toSorted(), ids.toSorted());
  assert.ok([...runs.values()].every((count) => count === 1));
  assert.equal(await ready(), 200);
});
