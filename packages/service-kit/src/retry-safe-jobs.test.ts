import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient, createRouterTransport } from "@connectrpc/connect";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { retrySafeJobs } from "./retry-safe-jobs.ts";

test("a job without a key gets one of its own, a given key is kept, other calls pass through", async () => {
  const keys: string[] = [];
  const transport = createRouterTransport(({ service }) => {
    service(JobService, {
      createJob(request) {
        keys.push(request.idempotencyKey);
        return { job: { id: "j", kind: request.spec?.spec.case ?? "" } };
      },
      getJob: (request) => ({ job: { id: request.id } }),
    });
  });
  const jobs = retrySafeJobs(createClient(JobService, transport));
  const spec = { spec: { case: "extract" as const, value: { curriculum: "c" } } };
  assert.equal((await jobs.createJob({ spec })).job?.kind, "extract");
  await jobs.createJob({ spec });
  await jobs.createJob({ spec, idempotencyKey: "mine" });
  assert.match(keys[0] ?? "", /^once-.{36}$/);
  assert.notEqual(keys[0], keys[1]);
  assert.equal(keys[2], "mine");
  assert.equal((await jobs.getJob({ id: "x" })).job?.id, "x");
});
