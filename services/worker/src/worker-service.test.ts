import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { JobDispatchedSchema } from "@cytomesh/contracts/events/v1/events";
import { JobSchema } from "@cytomesh/contracts/jobs/v1/job";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { type EndAttemptRequest, JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import type { AnalysisSpecSchema } from "@cytomesh/contracts/jobs/v1/specs";
import { AnalysisService } from "@cytomesh/contracts/worker/v1/analysis_service";
import { createInProcessBus } from "@cytomesh/events";
import { toUri } from "@cytomesh/object-store";
import { bindService, createLogger, createMetrics, hostService, openChannel, tagOf } from "@cytomesh/rpc";
import { start } from "./main.ts";
import { makeStudy, type Study, tempDir, writeStudy } from "./services/testing.ts";

// Node writes what it compiled when it ends, into a data directory that is gone by then.
process.env.NODE_DISABLE_COMPILE_CACHE = "1";

type Spec = MessageInitShape<typeof AnalysisSpecSchema>;

/** The service as it runs, over gRPC and worker threads, with a control plane of one job. */
async function bench(t: TestContext, study: Study = makeStudy()) {
  const dir = await tempDir(t);
  const uri = toUri(await writeStudy(dir, study));
  const ends: EndAttemptRequest[] = [];
  const created: string[] = [];
  let spec: Spec = {};
  const jobOf = () =>
    create(JobSchema, {
      id: "job-1",
      maxAttempts: 5,
      spec: { spec: { case: "analysis", value: spec as never } },
    });
  const logger = createLogger("test", "silent");
  const plane = await hostService({
    name: "control",
    host: "127.0.0.1",
    grpcPort: 0,
    healthPort: undefined,
    logger,
    metrics: createMetrics("test"),
    services: [
      bindService(JobService, {
        createJob(request) {
          created.push(request.idempotencyKey);
          return { job: create(JobSchema, { id: "job-1", kind: request.spec?.spec.case ?? "" }) };
        },
        getJob: () => ({}),
        listJobs: () => ({}),
        listJobItems: () => ({}),
        async *watchJob() {},
        cancelJob: () => ({}),
      }),
      bindService(JobWorkerService, {
        startAttempt: () => ({ job: jobOf(), lease: "lease", leaseDuration: { seconds: 30n, nanos: 0 } }),
        heartbeat: () => ({}),
        recordItems: () => ({}),
        endAttempt(request) {
          ends.push(request);
          return { job: jobOf() };
        },
      }),
    ],
  });
  const bus = createInProcessBus();
  const running = await start({
    bus,
    logger,
    processMetrics: false,
    env: {
      CYTOMESH_DATA_DIR: dir,
      CYTOMESH_GRPC_PORT: "0",
      CYTOMESH_HEALTH_PORT: "0",
      CYTOMESH_API_TARGET: plane.address,
      CYTOMESH_THREADS: "1",
      CYTOMESH_SHUTDOWN_GRACE: "1s",
    },
  });
  const channel = openChannel(running.address);
  t.after(async () => {
    channel.close();
    await running.stop();
    await bus.close();
    await plane.stop(0);
  });
  return {
    uri,
    dir,
    created,
    client: channel.client(AnalysisService),
    /** Run a spec as a job; returns how the attempt ended. */
    async runJob(given: Spec): Promise<EndAttemptRequest> {
      spec = given;
      const payload = toBinary(JobDispatchedSchema, create(JobDispatchedSchema, { jobId: "job-1" }));
      await bus.publishWork("jobs.worker.analysis", payload, { messageId: `m${ends.length}` });
      const before = ends.length;
      while (ends.length === before) await sleep(5);
      return ends.at(-1) as EndAttemptRequest;
    },
  };
}

function lengthOf(value: unknown): number | undefined {
  return Array.isArray(value) ? value.length : undefined;
}

/** The error a call ends with. */
async function errorOf(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => assert.fail("expected an error"),
    (reason) => reason,
  );
  assert.ok(error instanceof ConnectError);
  return error;
}

test("the three tasks answer over gRPC", async (t) => {
  const { client, uri } = await bench(t);
  const genes = await client.runTask({
    spec: {
      uri,
      task: "ListGenes",
      parameters: { orderBy: "dispersions", orderDirection: "desc", limit: 2 },
    },
  });
  assert.equal(genes.result?.total, 40);
  assert.equal(lengthOf(genes.result?.rows), 2);
  const expression = await client.runTask({
    spec: { uri, task: "GeneExpression", parameters: { genes: ["GENE3"], cellSets: ["louvain-1"] } },
  });
  assert.equal(expression.result?.cells, 30);
  const embedding = await client.runTask({
    spec: { uri, task: "GetEmbedding", parameters: { type: "pca" } },
  });
  assert.equal(lengthOf(embedding.result?.embedding), 90);
});

test("refusals keep code, tag and violations", async (t) => {
  const { client, uri } = await bench(t);
  const unknown = await errorOf(
    client.runTask({ spec: { uri, task: "GeneExpression", parameters: { genes: ["GENE"] } } }),
  );
  assert.equal(unknown.code, Code.InvalidArgument);
  assert.equal(tagOf(unknown), "unknown-name");
  assert.match(unknown.rawMessage, /close names: GENE0, GENE1/);
  const task = await errorOf(client.runTask({ spec: { uri, task: "Cluster" } }));
  assert.deepEqual([task.code, tagOf(task)], [Code.InvalidArgument, "unknown-task"]);
  assert.equal((await errorOf(client.runTask({}))).code, Code.InvalidArgument);
  const file = await errorOf(client.runTask({ spec: { uri: `${uri}.none`, task: "ListGenes" } }));
  assert.deepEqual([file.code, tagOf(file)], [Code.NotFound, "object-not-found"]);
  const wrong = await errorOf(
    client.submitTask({ spec: { uri, task: "ListGenes", parameters: { limit: -1 } } }),
  );
  assert.equal(tagOf(wrong), "invalid-parameters");
});

test("an answer above 4 MiB is refused in favour of a job, which writes it", async (t) => {
  const { client, uri, runJob } = await bench(t, makeStudy(10_000, 45));
  const genes = Array.from({ length: 40 }, (_, i) => `GENE${i}`);
  const spec = { uri, task: "GeneExpression", parameters: { genes } };
  const error = await errorOf(client.runTask({ spec }));
  assert.deepEqual([error.code, tagOf(error)], [Code.ResourceExhausted, "result-too-large"]);
  assert.match(error.rawMessage, /submit the task as a job/);
  const { outcome } = await runJob(spec);
  assert.ok(outcome.case === "result" && outcome.value.result.case === "analysis");
  const { resultUri, result } = outcome.value.result.value;
  assert.equal(result, undefined);
  assert.match(resultUri, /\/scratch\/job-1\/result\.json$/);
  const written = JSON.parse(await readFile(fileURLToPath(resultUri), "utf8"));
  assert.deepEqual(Object.keys(written.genes), genes);
  assert.equal(written.genes.GENE1.expression.length, 10_000);
});

test("a small result of a job is in its row too, and the file is where the spec says", async (t) => {
  const { uri, dir, runJob } = await bench(t);
  const outputUri = toUri(`${dir}/out/genes.json`);
  const { outcome } = await runJob({ uri, task: "ListGenes", parameters: { limit: 3 }, outputUri });
  assert.ok(outcome.case === "result" && outcome.value.result.case === "analysis");
  const { resultUri, result } = outcome.value.result.value;
  assert.equal(resultUri, outputUri);
  assert.deepEqual(JSON.parse(await readFile(fileURLToPath(outputUri), "utf8")), result);
  assert.equal(result?.total, 40);
});

test("a job whose request is wrong fails for good, with the reason", async (t) => {
  const { uri, runJob } = await bench(t);
  const { outcome } = await runJob({ uri, task: "GetEmbedding", parameters: { type: "tsne" } });
  assert.ok(outcome.case === "error");
  assert.deepEqual([outcome.value.reason, outcome.value.retryable], ["unknown-name", false]);
  assert.match(outcome.value.message, /expected pca or a key of obsm \(X_umap\)/);
});

test("SubmitTask makes a job of kind analysis with the caller's key", async (t) => {
  const { client, uri, created } = await bench(t);
  const { job } = await client.submitTask({ spec: { uri, task: "ListGenes" }, idempotencyKey: "once" });
  assert.deepEqual([job?.id, job?.kind, created], ["job-1", "analysis", ["once"]]);
});
