import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { JobState } from "@cytomesh/contracts/jobs/v1/job";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { JobWorkerService } from "@cytomesh/contracts/jobs/v1/job_worker_service";
import { createTestPlane, ingestResult, ingestSpec, type TestPlane } from "../services/testing.ts";
import { createCatalogServiceImpl } from "./catalog-service.ts";
import { createJobServiceImpl } from "./job-service.ts";
import { createJobWorkerServiceImpl } from "./job-worker-service.ts";

function clients(plane: TestPlane) {
  const transport = createRouterTransport(({ service }) => {
    service(JobService, createJobServiceImpl(plane));
    service(JobWorkerService, createJobWorkerServiceImpl(plane));
    service(CatalogService, createCatalogServiceImpl(plane));
  });
  return {
    jobs: createClient(JobService, transport),
    worker: createClient(JobWorkerService, transport),
    catalog: createClient(CatalogService, transport),
  };
}

test("a job goes through the services from creation to its end", async (t) => {
  const plane = await createTestPlane(t);
  const { jobs, worker } = clients(plane);
  const { job, created } = await jobs.createJob({ spec: ingestSpec(), idempotencyKey: "k" });
  assert.ok(job && created);
  assert.deepEqual(
    [job.state, job.kind, job.service, job.maxAttempts],
    [JobState.QUEUED, "ingest", "ingest", 5],
  );
  const { lease, leaseDuration } = await worker.startAttempt({ jobId: job.id, worker: "w" });
  assert.equal(leaseDuration?.seconds, 30n);
  await worker.heartbeat({ jobId: job.id, lease, progress: { done: 2n, total: 3n, unit: "cells" } });
  const checkpoint = new Uint8Array([1, 2]);
  await worker.recordItems({ jobId: job.id, lease, items: [{ key: "a", state: 3, checkpoint }] });
  await assert.rejects(
    worker.recordItems({ jobId: job.id, lease, items: [{ key: "a" }] }),
    (error) => error instanceof ConnectError,
  );
  const ended = await worker.endAttempt({
    jobId: job.id,
    lease,
    outcome: { case: "result", value: ingestResult() },
  });
  assert.equal(ended.job?.state, JobState.SUCCEEDED);
  assert.ok(ended.job.createdAt && ended.job.startedAt && ended.job.finishedAt && !ended.job.nextAttemptAt);
  assert.deepEqual((await jobs.getJob({ id: job.id })).job, ended.job);
  const { items } = await jobs.listJobItems({ jobId: job.id });
  assert.deepEqual([items.length, items[0]!.key, items[0]!.checkpoint.length], [1, "a", 0]);
  const listed = await jobs.listJobs({ states: [JobState.SUCCEEDED] });
  assert.deepEqual(listed.jobs, [ended.job]);
  const watched = await Array.fromAsync(jobs.watchJob({ id: job.id }));
  assert.deepEqual(
    watched.map((message) => message.job),
    [ended.job],
  );
});

test("a client that goes away ends its watch", async (t) => {
  const plane = await createTestPlane(t);
  const { jobs } = clients(plane);
  const { job } = await jobs.createJob({ spec: ingestSpec() });
  const controller = new AbortController();
  const watching = (async () => {
    for await (const _ of jobs.watchJob({ id: job!.id }, { signal: controller.signal })) controller.abort();
  })();
  await assert.rejects(watching, (error: ConnectError) => error.code === Code.Canceled);
});

test("the catalog answers with messages", async (t) => {
  const plane = await createTestPlane(t);
  const { catalog } = clients(plane);
  const { dataset } = await catalog.createDataset({ name: "pbmc" });
  assert.deepEqual((await catalog.listDatasets({})).datasets, [dataset]);
  const { featureSchema } = await catalog.createFeatureSchema({ name: "genes", featureIds: ["a", "b"] });
  assert.deepEqual([featureSchema?.size, featureSchema?.featureIds], [2, []]);
  assert.deepEqual((await catalog.getFeatureSchema({ name: "genes" })).featureSchema?.featureIds, ["a", "b"]);
  const { model } = await catalog.registerModel({
    model: {
      name: "m",
      kind: "pca",
      uri: "file:///m",
      sha256: "0".repeat(64),
      featureSchema: "genes",
      dimension: 2,
    },
  });
  assert.ok(model?.createdAt);
  assert.deepEqual((await catalog.listModels({})).models, [model]);
});
