import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { ItemState, JobState } from "@cytomesh/contracts/jobs/v1/job";
import { IngestedFile_Outcome as Outcome } from "@cytomesh/contracts/jobs/v1/specs";
import { toUri } from "@cytomesh/object-store";
import { connectMesh, type MeshClient } from "../../packages/cli/src/client.ts";
import { generateData } from "../../packages/cli/src/demo-run/plan.ts";
import { type RunningMesh, startMesh, unusedPorts } from "../../packages/cli/src/mesh/start-mesh.ts";
import { followJob } from "../../packages/cli/src/watch-job.ts";
import { repoRoot } from "./processes.ts";

const run = promisify(execFile);
const signal = AbortSignal.timeout(170_000);
const sharedData = process.env.CYTOMESH_TEST_DATA ?? join(repoRoot, "../shared/data");

let dir: string;
let mesh: RunningMesh;
let client: MeshClient;
let references: string[];

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "cytomesh-mesh-"));
  mesh = await startMesh({ dataDir: join(dir, "state"), ports: await unusedPorts(), logLevel: "silent" });
  client = connectMesh(mesh.edgeAddress);
  references = (await generateData(dir, { seed: 3, cellsPerStudy: 60, signal })).references;
});

after(async () => {
  client?.close();
  await mesh?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function ingest(dataset: string, paths: readonly string[]) {
  const { job } = await client.ingest.ingestFiles({ spec: { dataset, uris: paths.map(toUri) } });
  return followJob(client, job?.id ?? "", () => undefined, signal);
}

function resultOf(job: Awaited<ReturnType<typeof ingest>>) {
  const { result } = job.result ?? {};
  assert.equal(result?.case, "ingest");
  return result.value;
}

test("the same content is ingested once, whoever asks and however it is named", async () => {
  const [first = ""] = references;
  const once = await ingest("twice", [first]);
  assert.equal(once.state, JobState.SUCCEEDED);
  const copy = join(dir, "a copy of it.h5ad");
  copyFileSync(first, copy);
  const again = resultOf(await ingest("twice", [first, copy]));
  assert.deepEqual(
    again.files.map((file) => file.outcome),
    [Outcome.ALREADY_PRESENT, Outcome.ALREADY_PRESENT],
  );
  assert.equal(Number((await client.catalog.getDataset({ name: "twice" })).dataset?.cells), 60);
});

test("a wrong file ends its job FAILED with a readable reason while the others are committed", async () => {
  const [good = "", other = ""] = references;
  const wrong = join(dir, "not-anndata.h5ad");
  writeFileSync(wrong, "<html>404</html>");
  const job = await ingest("mixed", [good, wrong, join(dir, "missing.h5ad"), other]);
  assert.equal(job.state, JobState.FAILED);
  assert.match(job.error?.message ?? "", /2 of 4 file\(s\) failed/);
  const { files } = resultOf(job);
  assert.deepEqual(
    files.map((file) => file.outcome),
    [Outcome.COMMITTED, Outcome.FAILED, Outcome.FAILED, Outcome.COMMITTED],
  );
  assert.match(files[1]?.problems.join() ?? "", /HDF5/);
  assert.equal(Number((await client.catalog.getDataset({ name: "mixed" })).dataset?.cells), 120);
  const { items } = await client.jobs.listJobItems({ jobId: job.id, states: [ItemState.FAILED] });
  assert.equal(items.length, 2);
});

test("every corrupt file that pretends to be h5ad fails its own job with a reason, and the mesh goes on", {
  skip: !existsSync(sharedData) && "shared data not present",
}, async () => {
  const folder = join(sharedData, "corrupt");
  const files = [
    ...readdirSync(join(folder, "h5ad")).map((name) => join(folder, "h5ad", name)),
    ...readdirSync(folder)
      .filter((name) => /\.(h5ad|h5)$/.test(name))
      .map((name) => join(folder, name)),
  ];
  const created = await Promise.all(
    files.map(async (path) => {
      const { job } = await client.ingest.ingestFiles({ spec: { dataset: "corrupt", uris: [toUri(path)] } });
      return { path, id: job?.id ?? "" };
    }),
  );
  for (const { path, id } of created) {
    const job = await followJob(client, id, () => undefined, signal);
    const name = path.slice(path.lastIndexOf("/") + 1);
    assert.equal(job.state, JobState.FAILED, `${name}: state ${job.state}`);
    const reason = resultOf(job).files[0]?.problems.join("; ") ?? "";
    assert.ok(reason.length > 15, `${name}: "${reason}"`);
    assert.doesNotMatch(reason, /internal error|undefined|\[object/, name);
  }
  const [good = ""] = references;
  assert.equal((await ingest("corrupt", [good])).state, JobState.SUCCEEDED);
});

test("a job that waits is cancelled at once, and what waits for it too", async () => {
  const [good = ""] = references;
  const first = await client.jobs.createJob({
    spec: { spec: { case: "ingest", value: { dataset: "chain", uris: [toUri(good)] } } },
  });
  const waiting = await client.jobs.createJob({
    spec: { spec: { case: "prepare", value: { curriculum: "never", dataset: "nowhere-to-be-found" } } },
    after: [first.job?.id ?? ""],
  });
  const last = await client.jobs.createJob({
    spec: { spec: { case: "extract", value: { curriculum: "never" } } },
    after: [waiting.job?.id ?? ""],
  });
  await client.jobs.cancelJob({ id: waiting.job?.id ?? "" });
  const ended = await followJob(client, last.job?.id ?? "", () => undefined, signal);
  assert.equal(ended.state, JobState.CANCELLED);
});

test("the same files and seed give byte-identical bins and the same model in another mesh, wherever they lie", async () => {
  const sums = await Promise.all(
    ["one", "another"].map(async (name) => {
      const at = join(dir, name);
      const main = join(repoRoot, "packages/cli/src/main.ts");
      await run(process.execPath, [main, "demo", "--data-dir", at, "--cells", "60", "--seed", "5"], {
        timeout: 200_000,
      });
      const read = (path: string) => readFileSync(join(at, "store", path));
      return {
        bins: JSON.parse(read("curricula/demo-cells/bins/manifest.json").toString()),
        model: createHash("sha256").update(read("models/demo-pca/model.onnx")).digest("hex"),
      };
    }),
  );
  assert.ok(sums[0]?.bins.bins.length > 1);
  assert.deepEqual(sums[1], sums[0]);
});

test("buf curl lists and calls every service of the mesh at the edge by reflection", async () => {
  const buf = join(repoRoot, "node_modules/.bin/buf");
  const base = `http://${mesh.edgeAddress}`;
  const curl = (...args: string[]) =>
    run(buf, ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args], { timeout: 30_000 });
  const { stdout } = await curl("--list-services", base);
  const services = stdout.trim().split("\n");
  for (const name of [
    "cytomesh.api.v1.MeshService",
    "cytomesh.catalog.v1.CatalogService",
    "cytomesh.extract.v1.ExtractService",
    "cytomesh.imaging.v1.ImagingService",
    "cytomesh.inference.v1.InferenceService",
    "cytomesh.ingest.v1.IngestService",
    "cytomesh.jobs.v1.JobService",
    "cytomesh.training.v1.TrainingService",
    "cytomesh.worker.v1.AnalysisService",
  ])
    assert.ok(services.includes(name), `${name} is not among ${services.join(", ")}`);
  assert.ok(!services.includes("cytomesh.jobs.v1.JobWorkerService"), "the workers' contract stays inside");
  const status = await curl("-d", "{}", `${base}/cytomesh.api.v1.MeshService/GetMeshStatus`);
  const { services: states } = JSON.parse(status.stdout) as {
    services: { name: string; serving?: boolean }[];
  };
  assert.deepEqual(
    states.filter((one) => one.serving !== true),
    [],
  );
  const [good = ""] = references;
  const inspected = await curl(
    "-d",
    JSON.stringify({ uri: toUri(good) }),
    `${base}/cytomesh.ingest.v1.IngestService/InspectFile`,
  );
  assert.equal((JSON.parse(inspected.stdout) as { cells: string }).cells, "60");
});
