// A mesh of processes with one nats-server and one Postgres, started before the tests of the file that imports this and stopped after them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { openAnnData } from "@cytomesh/anndata";
import { JobState } from "@cytomesh/contracts/jobs/v1/job";
import { findNatsServer, startNatsServer } from "@cytomesh/events";
import { toUri } from "@cytomesh/object-store";
import type { ServiceName } from "@cytomesh/service-kit";
import { connectMesh, type MeshClient } from "../../packages/cli/src/client.ts";
import { unusedPorts } from "../../packages/cli/src/mesh/start-mesh.ts";
import {
  createTestDatabase,
  type TestDatabase,
} from "../../services/api/src/data-manager/postgres/testing.ts";
import { type ProcessMesh, processMesh, repoRoot, serviceNames, until } from "./processes.ts";

const cellsPerStudy = 800;
const studies = 4;

const natsServer = await findNatsServer();
/** Why these tests cannot run here, or false. */
export const skip =
  natsServer === undefined
    ? process.env.CI_REQUIRE_NATS
      ? false
      : "no nats-server 2.10 or newer on this machine"
    : false;

/** Data directory of the mesh. */
export let dir: string;
let nats: { url: string; stop(): Promise<void> };
let database: TestDatabase;
/** The mesh, every service a process. */
export let mesh: ProcessMesh;
/** A client of its edge. */
export let client: MeshClient;

before(async () => {
  if (skip) return;
  dir = mkdtempSync(join(tmpdir(), "cytomesh-e2e-"));
  nats = await startNatsServer({ bin: (natsServer as { path: string }).path, dir: join(dir, "nats") });
  database = await createTestDatabase();
  mesh = processMesh(await unusedPorts(), dir, {
    NATS_URL: nats.url,
    DATABASE_URL: database.url,
    CYTOMESH_LOG_LEVEL: "info",
    CYTOMESH_JOB_LEASE: "4s",
    CYTOMESH_RECONCILE_INTERVAL: "1s",
  });
  mkdirSync(dir, { recursive: true });
  for (const name of serviceNames) await mesh.start(name);
  client = connectMesh(`127.0.0.1:${mesh.ports.edge}`);
});

after(async () => {
  if (skip) return;
  client?.close();
  await mesh?.stopAll();
  await database?.close();
  await nats?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Run the demo against the mesh of processes; `meanwhile` may kill what it likes. */
export async function runDemo(name: string, meanwhile?: () => Promise<void>): Promise<string> {
  const child = spawn(
    process.execPath,
    [
      join(repoRoot, "packages/cli/src/main.ts"),
      "demo",
      ...["--api", `127.0.0.1:${mesh.ports.edge}`],
      ...["--http", `http://127.0.0.1:${mesh.ports.http}`],
      ...["--store", toUri(join(dir, "store"))],
      ...["--data-dir", join(dir, name), "--name", name, "--cells", String(cellsPerStudy)],
    ],
    { stdio: ["ignore", "pipe", "pipe"], cwd: dir },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output += chunk;
  });
  const exit = once(child, "exit");
  const trouble = meanwhile?.().catch((error: Error) => {
    child.kill();
    return error;
  });
  const [code] = (await exit) as [number | null];
  const failure = await trouble;
  if (failure instanceof Error) throw new Error(`${failure.message}\n${output}`);
  assert.equal(code, 0, output);
  return output;
}

/** Wait until a job of the kind runs and has begun to count, so that the kill comes in the middle. */
async function inTheMiddleOf(kind: string, since: Date): Promise<string> {
  return until(`a running ${kind} job`, 120_000, async () => {
    const { jobs } = await client.jobs.listJobs({ pageSize: 50 }).catch(() => ({ jobs: [] }));
    const found = jobs.find(
      (job) =>
        job.kind === kind &&
        Number(job.createdAt?.seconds ?? 0n) * 1000 >= since.getTime() - 1000 &&
        (job.state === JobState.RUNNING || job.state === JobState.SUCCEEDED),
    );
    if (found?.state === JobState.SUCCEEDED)
      throw new Error(`the ${kind} job ended before it could be disturbed`);
    return found !== undefined && (found.progress?.done ?? 0n) > 0n ? found.id : undefined;
  });
}

/** Nothing lost, nothing doubled: the catalog, the bins and the index all hold every cell exactly once. */
export async function verify(name: string): Promise<void> {
  const expected = studies * cellsPerStudy;
  const dataset = (await client.catalog.getDataset({ name })).dataset;
  assert.equal(Number(dataset?.cells), expected);
  assert.equal(dataset?.ingests, studies);
  const curriculum = (await client.catalog.getCurriculum({ name: `${name}-cells` })).curriculum;
  assert.equal(Number(curriculum?.cells), expected);
  const ids = new Set<string>();
  for (let bin = 0; bin < (curriculum?.bins ?? 0); bin++) {
    const file = await openAnnData(
      join(dir, "store/curricula", `${name}-cells`, "bins", `extract_${bin}.h5ad`),
    );
    for (const id of file.obs.index()) {
      assert.ok(!ids.has(id), `cell ${id} is in two bins`);
      ids.add(id);
    }
    file.close();
  }
  assert.equal(ids.size, expected);
  const index = (await client.catalog.getIndex({ name: `${name}-index` })).index;
  assert.equal(Number(index?.cells), expected);
}

async function restart(name: ServiceName): Promise<void> {
  await mesh.kill9(name);
  await mesh.start(name);
}

/** Kill a service in the middle of a job of a kind while the demo runs, and check that nothing is lost or doubled. */
export async function survivesKill(service: ServiceName, kind: string): Promise<void> {
  const name = `killed-${service}`;
  const began = new Date();
  let killed = "";
  await runDemo(name, async () => {
    killed = await inTheMiddleOf(kind, began);
    await restart(service);
  });
  const job = (await client.jobs.getJob({ id: killed })).job;
  assert.equal(job?.state, JobState.SUCCEEDED);
  // The api runs no jobs: its death must not cost an attempt.
  if (service !== "api") assert.ok((job?.attempt ?? 0) >= 2, `the job ran in ${job?.attempt} attempt(s)`);
  await verify(name);
}
