import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Job, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { connectMesh } from "../../packages/cli/src/client.ts";
import { unusedPorts } from "../../packages/cli/src/mesh/start-mesh.ts";
import { followJob } from "../../packages/cli/src/watch-job.ts";
import { createTestDatabase } from "../../services/api/src/data-manager/postgres/testing.ts";
import { ingestSpec } from "../../services/api/src/services/testing.ts";
import { processMesh, until } from "./processes.ts";

test("whoever follows a job follows it to its end, though the api is stopped and killed meanwhile", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "cytomesh-follow-"));
  const database = await createTestDatabase();
  const mesh = processMesh(await unusedPorts(), dir, {
    DATABASE_URL: database.url,
    // No bus of its own: nobody works on the job.
    NATS_SERVER_BIN: "/nonexistent",
    CYTOMESH_LOG_LEVEL: "info",
  });
  const client = connectMesh(`127.0.0.1:${mesh.ports.edge}`);
  t.after(async () => {
    client.close();
    await mesh.stopAll();
    await database.close();
    rmSync(dir, { recursive: true, force: true });
  });
  await mesh.start("api");
  const id = (await client.jobs.createJob({ spec: ingestSpec() })).job?.id as string;
  const seen: JobState[] = [];
  const followed = followJob(
    client,
    id,
    ({ state }: Job) => {
      seen.push(state);
    },
    AbortSignal.timeout(60_000),
  );
  followed.catch(() => undefined);
  const seenTimes = (count: number) =>
    until("the job is seen again", 30_000, async () => (seen.length >= count ? true : undefined));
  await seenTimes(1);

  assert.equal(await mesh.stop("api"), 0);
  await mesh.start("api");
  await seenTimes(2);
  await mesh.kill9("api");
  await mesh.start("api");
  await seenTimes(3);
  await client.jobs.cancelJob({ id });
  assert.equal((await followed).state, JobState.CANCELLED);
});
