import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { copyFile, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type IngestedFile,
  type IngestSpecSchema,
  IngestedFile_Outcome as Outcome,
} from "@cytomesh/contracts/jobs/v1/specs";
import { JobFailure } from "@cytomesh/jobs";
import { attempt, type JobRun, newJobRun } from "@cytomesh/jobs/testing";
import { toUri } from "@cytomesh/object-store";
import { openIngest } from "@cytomesh/omics-store";
import { writeLayout } from "../testing/h5ad.ts";
import { makeWorld, pool, readBack } from "../testing/world.ts";
import type { IngestDeps } from "./ingest-file.ts";
import { ingestHandler } from "./ingest-job.ts";
import { inspectFile } from "./inspect-file.ts";

type World = Awaited<ReturnType<typeof makeWorld>>;
type Spec = MessageInitShape<typeof IngestSpecSchema>;
interface Result {
  files: IngestedFile[];
  cells: bigint;
}

const worlds: World[] = [];
async function freshWorld(): Promise<World> {
  const one = await makeWorld();
  worlds.push(one);
  return one;
}
let files: World;
before(async () => {
  files = await freshWorld();
});
after(async () => {
  await pool.close();
  for (const world of worlds) await world.close();
});

let made = 0;
function goodFile(name = `good-${made++}.h5ad`, first = 1): string {
  const path = files.path(name);
  const cells = ["a", "b"].map((cell) => `${cell}${first}`);
  const rows = [
    [first, 0, 2],
    [0, 5, 0],
  ];
  writeLayout(path, { cells, genes: ["g0", "g1", "g2"], x: { rows, layout: "csr" } });
  return path;
}

const ingest = (deps: IngestDeps, spec: Spec, run?: JobRun, o?: Parameters<typeof attempt>[3]) =>
  attempt(
    ingestHandler(deps),
    { case: "ingest", value: { dataset: "d", ...spec } },
    run,
    o,
  ) as Promise<Result>;

async function failureOf(work: Promise<Result>): Promise<JobFailure> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof JobFailure, String(error));
  return error;
}

const looked = (uri: string) => ({ uri, profile: "", geneListUris: [] });

const outcomes = (result: Result) => result.files.map((file) => file.outcome);
const tempLeft = (world: World) => readdir(world.tempDir);

test("files of a job are committed one by one, with ids of their own, and found again by their content", async () => {
  const world = await freshWorld();
  const [one, two] = [goodFile("one.h5ad", 1), goodFile("two.h5ad", 2)];
  await copyFile(one, files.path("again.h5ad"));
  const run = newJobRun();
  const result = await ingest(world.deps, { uris: [one, two, files.path("again.h5ad")].map(toUri) }, run);
  assert.deepEqual(outcomes(result), [Outcome.COMMITTED, Outcome.COMMITTED, Outcome.ALREADY_PRESENT]);
  assert.equal(result.cells, 4n);
  assert.equal(result.files[2]?.ingestId, result.files[0]?.ingestId);
  assert.equal(result.files[2]?.cells, 2n);
  assert.equal(run.expected, 3);
  assert.deepEqual(run.progress.at(-1)?.done, 6);
  assert.deepEqual(
    [...world.rows.values()].map((row) => [row.cellIdStart, row.cells, row.featureIdStart, row.features]),
    [
      [0, 2, 0, 3],
      [2, 2, 3, 3],
    ],
  );
  for (const row of world.rows.values()) {
    const { manifestSha256, manifest } = await openIngest(world.ingestDir("d", row.id));
    assert.equal(manifestSha256, row.manifestSha256);
    assert.equal(manifest.cellIdStart, row.cellIdStart);
  }
  assert.deepEqual(await tempLeft(world), []);
  // Other options make another ingest of the same content.
  const mapped = await ingest(world.deps, { uris: [toUri(one)], obsMapping: { index: "barcode" } });
  assert.deepEqual(outcomes(mapped), [Outcome.COMMITTED]);
});

test("a bad file never blocks a good one; the job fails with every reason and keeps what it did", async () => {
  const world = await freshWorld();
  const bad = files.path("bad.h5ad");
  writeLayout(bad, {
    cells: ["a", "a"],
    genes: ["g", "h"],
    x: {
      rows: [
        [0.5, 1],
        [1, -1],
      ],
      layout: "dense",
    },
  });
  const garbage = files.path("garbage.h5ad");
  await writeFile(garbage, "not HDF5 at all");
  const missing = files.path("missing.h5ad");
  const uris = [bad, garbage, missing, goodFile()].map(toUri);
  const run = newJobRun();
  const failure = await failureOf(ingest(world.deps, { uris }, run));
  assert.equal(failure.tag, "files-failed");
  assert.match(failure.message, /^3 of 4 file\(s\) failed: /);
  const result = failure.partialResult as Result;
  assert.deepEqual(outcomes(result), [Outcome.FAILED, Outcome.FAILED, Outcome.FAILED, Outcome.COMMITTED]);
  assert.equal(result.cells, 2n);
  const [problems] = result.files.map((file) => file.problems);
  for (const pattern of [/more than once/, /not whole numbers/, /negative/])
    assert.ok(
      problems?.some((one) => pattern.test(one)),
      `${pattern} in ${problems}`,
    );
  assert.equal([...world.rows.values()].filter((row) => row.state === "failed").length, 2);
  // Another attempt of the job finds every outcome, and does nothing again.
  const idle: IngestDeps = {
    ...world.deps,
    catalog: { ...world.deps.catalog, begin: () => assert.fail("nothing is left to do") },
  };
  const again = await failureOf(ingest(idle, { uris }, run));
  assert.deepEqual(again.partialResult, result);
});

test("a file with problems without end is recorded with as many as fit", async () => {
  const world = await freshWorld();
  const path = files.path("wide.h5ad");
  const names = Array.from({ length: 60 }, (_, i) => `${i} ${"é".repeat(2_000)}`);
  writeLayout(path, { cells: ["a"], genes: ["g"], x: { rows: [[1]], layout: "csr" } });
  const refusing: IngestDeps = {
    ...world.deps,
    pool: { ...world.deps.pool, run: async () => ({ cells: 1, features: 1, problems: names }) as never },
  };
  const run = newJobRun();
  const uris = [toUri(path)];
  const failure = await failureOf(ingest(refusing, { uris }, run));
  const [file] = (failure.partialResult as Result).files;
  assert.equal(file?.problems.length, 51);
  assert.ok(failure.message.length < 10_000);
  const item = run.items.get(uris[0] ?? "");
  assert.ok((item?.checkpoint.length ?? 0) <= 60_000);
  const again = await failureOf(ingest(world.deps, { uris }, run));
  const [kept] = (again.partialResult as Result).files;
  assert.equal(kept?.outcome, Outcome.FAILED);
  assert.ok((kept?.problems.length ?? 0) > 5);
});

test("only looking writes nothing, neither to the store nor to the catalog", async () => {
  const world = await freshWorld();
  const result = await ingest(world.deps, { uris: [toUri(goodFile())], validateOnly: true });
  assert.deepEqual(outcomes(result), [Outcome.VALID]);
  assert.deepEqual([result.files[0]?.cells, result.files[0]?.features, result.cells], [2n, 3n, 0n]);
  assert.equal(world.rows.size + world.datasets.size, 0);
  assert.deepEqual(await world.stored(), {});
});

for (const [age, modified] of [
  ["just written", new Date()],
  ["written long ago", new Date(1e12)],
] as const)
  test(`a file that changes while it is read is not stored under the hash of another content (${age})`, async () => {
    const world = await freshWorld();
    const path = goodFile();
    await utimes(path, modified, modified);
    const uris = [toUri(path)];
    const changing: IngestDeps = {
      ...world.deps,
      pool: {
        ...world.deps.pool,
        async run(name, input, options) {
          const result = await world.deps.pool.run(name, input, options);
          if (name === "encode") await copyFile(goodFile(undefined, 9), path);
          return result as never;
        },
      },
    };
    const run = newJobRun();
    await assert.rejects(ingest(changing, { uris }, run), { tag: "file-changed", grpcCode: "aborted" });
    assert.deepEqual(await world.stored(), {});
    assert.deepEqual(await tempLeft(world), []);
    const result = await ingest(world.deps, { uris }, run, { number: 2 });
    assert.deepEqual(outcomes(result), [Outcome.COMMITTED]);
    const [first, second] = [...world.rows.values()];
    assert.deepEqual([first?.state, second?.state], ["failed", "committed"]);
    const stored = await readBack(world.ingestDir("d", second?.id ?? ""), world.path("cur"));
    assert.deepEqual(stored.dense[0], [9, 0, 2]);
  });

test("the last attempt records a passing failure as the file's, an aborted one records nothing", async () => {
  const world = await freshWorld();
  const broken: IngestDeps = {
    ...world.deps,
    catalog: {
      ...world.deps.catalog,
      reserve: () => Promise.reject(Object.assign(new Error("away"), { code: "ECONNREFUSED" })),
    },
  };
  const uris = [toUri(goodFile())];
  await assert.rejects(ingest(broken, { uris }, newJobRun(), { number: 2 }), /away/);
  await assert.rejects(ingest(broken, { uris }, newJobRun(), { number: 3 }), { tag: "files-failed" });
  const controller = new AbortController();
  const stopped: IngestDeps = {
    ...world.deps,
    catalog: {
      ...world.deps.catalog,
      async reserve(...args) {
        controller.abort(new Error("shutdown"));
        return world.deps.catalog.reserve(...args);
      },
    },
  };
  const run = newJobRun();
  await assert.rejects(ingest(stopped, { uris }, run, { signal: controller.signal }), /shutdown/);
  assert.equal(run.items.get(uris[0] ?? "")?.checkpoint.length, 0);
  assert.deepEqual(
    [...world.rows.values()].map((row) => row.state),
    ["started"],
  );
  assert.deepEqual(await tempLeft(world), []);
});

test("what an attempt published under another name of the source is found and committed", async () => {
  const world = await freshWorld();
  const [first, second] = [goodFile("first.h5ad", 4), files.path("second.h5ad")];
  await copyFile(first, second);
  const dying: IngestDeps = {
    ...world.deps,
    catalog: { ...world.deps.catalog, commit: () => Promise.reject(new Error("killed")) },
  };
  await assert.rejects(ingest(dying, { uris: [toUri(first)] }), /killed/);
  const before = await world.stored();
  const result = await ingest(world.deps, { uris: [toUri(second)] }, newJobRun(), { jobId: "job-2" });
  assert.deepEqual(outcomes(result), [Outcome.COMMITTED]);
  assert.deepEqual(await world.stored(), before);
  const [row] = [...world.rows.values()];
  assert.equal((await openIngest(world.ingestDir("d", row?.id ?? ""))).manifestSha256, row?.manifestSha256);
});

test("the manifest of another ingest is never taken over", async () => {
  const world = await freshWorld();
  const uris = [toUri(goodFile())];
  await ingest(world.deps, { uris });
  const [row] = [...world.rows.values()];
  const at = `${world.ingestDir("d", row?.id ?? "")}/manifest.json`;
  const manifest = JSON.parse(await readFile(at, "utf8"));
  await writeFile(at, JSON.stringify({ ...manifest, cellIdStart: 1_000 }));
  Object.assign(row ?? {}, { committed: false, state: "started" });
  const failure = await failureOf(ingest(world.deps, { uris }));
  assert.match(failure.message, /is the manifest of another ingest/);
});

/** Ports that die once `n` of their calls are done: the answer of the last is lost, and nothing after it happens. */
function dyingAfter(deps: IngestDeps, n: number) {
  let calls = 0;
  const dying = <T extends object>(port: T): T =>
    new Proxy(port, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== "function" || name === "localPath" || name === "list") return member;
        return async (...args: unknown[]) => {
          calls += 1;
          if (calls > n) throw new Error("dead");
          const result = await member.apply(target, args);
          if (calls < n) return result;
          if (result instanceof Readable) result.destroy();
          throw new Error("killed");
        };
      },
    });
  return { deps: { ...deps, store: dying(deps.store), catalog: dying(deps.catalog) }, calls: () => calls };
}

test("killed at any step, the next attempt ends with the ingest visible once, same ids, same bytes", async () => {
  const path = goodFile("crash.h5ad");
  // A file that grows old while the test runs would be read once less, and that is one step.
  await utimes(path, new Date(1e12), new Date(1e12));
  const spec: Spec = { uris: [toUri(path)] };
  const calm = await freshWorld();
  const counting = dyingAfter(calm.deps, Number.POSITIVE_INFINITY);
  await ingest(counting.deps, spec);
  const [expectedRow] = [...calm.rows.values()];
  const expected = await calm.stored();
  const digest = (files: Record<string, string>) =>
    createHash("sha256").update(JSON.stringify(files)).digest("hex");
  const steps = counting.calls();
  assert.ok(steps >= 10, `${steps} steps`);
  for (let n = 0; n <= steps; n++) {
    const where = `killed after step ${n} of ${steps}`;
    const world = await freshWorld();
    const run = newJobRun();
    await assert.rejects(ingest(dyingAfter(world.deps, n).deps, spec, run), /killed|dead/, where);
    const visible = Object.keys(await world.stored()).filter((name) => name.endsWith("manifest.json"));
    assert.ok(visible.length <= 1, where);
    const result = await ingest(world.deps, spec, run, { number: 2 });
    assert.equal(digest(await world.stored()), digest(expected), where);
    assert.deepEqual([...world.rows.values()], [expectedRow], where);
    assert.equal(world.next.cell, 2, where);
    const [file] = result.files;
    assert.ok(file?.outcome === Outcome.COMMITTED || file?.outcome === Outcome.ALREADY_PRESENT, where);
    assert.deepEqual(await tempLeft(world), [], where);
  }
});

test("killed while an item is recorded, the next attempt still finds the one ingest", async () => {
  const uris = [toUri(goodFile())];
  for (const outcome of ["running", "succeeded"] as const) {
    const world = await freshWorld();
    const run = newJobRun();
    const beforeRecord = (item: { outcome: string }) => {
      if (item.outcome === outcome) throw new Error("lease lost");
    };
    await assert.rejects(ingest(world.deps, { uris }, run, { beforeRecord }), /lease lost/);
    await ingest(world.deps, { uris }, run, { number: 2 });
    assert.deepEqual(
      [...world.rows.values()].map((row) => [row.state, row.cellIdStart]),
      [["committed", 0]],
    );
  }
});

test("an inspection lists what a file holds and everything that keeps it out", async () => {
  const world = await freshWorld();
  const good = await inspectFile(world.deps, looked(toUri(goodFile())), AbortSignal.timeout(60_000));
  assert.deepEqual([good.cells, good.features, good.problems], [2, 3, []]);
  assert.deepEqual(
    good.matrices.map((matrix) => [matrix.path, matrix.format, matrix.nnz]),
    [["X", "csr", 3]],
  );
  const path = files.path("normalised.h5ad");
  writeLayout(path, { cells: ["a"], genes: ["g", "h"], x: { rows: [[0.5, -1]], layout: "csc" } });
  const bad = await inspectFile(world.deps, looked(toUri(path)), AbortSignal.timeout(60_000));
  assert.equal(bad.problems.length, 1);
  await assert.rejects(
    inspectFile(world.deps, looked(toUri(files.path("nothing"))), AbortSignal.timeout(60_000)),
    {
      tag: "object-not-found",
    },
  );
});
