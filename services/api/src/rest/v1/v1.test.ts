import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { describeApi } from "../openapi/document.ts";
import { casForm, h5ad, startWorld, type World } from "../testing/world.ts";

let world: World;
before(async () => {
  world = await startWorld();
});
after(() => world.stop());

type Json = Record<string, unknown>;

const get = (path: string) => fetch(world.url + path);
const annotate = async (query: string, file?: Buffer) =>
  fetch(`${world.url}/v1/annotate${query}`, { method: "POST", body: casForm(file ?? (await h5ad()), {}) });

test("an annotation says what it rests on and the best call of each cell", async () => {
  const response = await annotate(
    "?neighbors=25&filter=tissue%3Dblood&filter=tissue%3Dlung&filter=sex%3Dfemale",
  );
  assert.equal(response.status, 200);
  const answer = (await response.json()) as {
    origin: Json;
    strategy: string;
    cells: { cellId: string; best: Json; matches: Json[] }[];
  };
  assert.deepEqual(answer.origin, {
    index: "blood-index",
    indexSha256: "aa",
    model: "pca",
    modelSha256: "bb",
    genes: { inModel: 5, inFile: 5, shared: 5, idsFrom: "index" },
  });
  assert.equal(answer.strategy, "summary-statistics");
  assert.deepEqual(
    answer.cells.map(({ cellId }) => cellId),
    ["cell-0", "cell-1", "cell-2"],
  );
  assert.deepEqual(answer.cells[0]?.best, { cellType: "T cell", score: 0.75 });
  assert.deepEqual(Object.keys(answer.cells[0]?.matches[0] ?? {}), [
    "cellType",
    "cellCount",
    "minDistance",
    "p25Distance",
    "medianDistance",
    "p75Distance",
    "maxDistance",
  ]);
  const search = world.seen.annotate.at(-1)?.search;
  assert.equal(search?.neighbors, 25);
  assert.deepEqual(
    search?.filters.map(({ column, values }) => [column, values]),
    [
      ["tissue", ["blood", "lung"]],
      ["sex", ["female"]],
    ],
  );
});

test("the best call of the ontology-aware strategy is the deepest term that scores enough", async () => {
  const best = async (query: string) => {
    const answer = (await (await annotate(`?strategy=ontology-aware&index=blood-index${query}`)).json()) as {
      cells: { best: Json }[];
    };
    return answer.cells[0]?.best;
  };
  assert.deepEqual(await best(""), { cellType: "term 2", cellTypeOntologyTermId: "CL:0000002", score: 0.6 });
  assert.deepEqual(await best("&min_score=0.7"), {
    cellType: "term 0",
    cellTypeOntologyTermId: "CL:0000000",
    score: 1,
  });
});

test("what is wrong with a request is told as a problem, everything at once", async () => {
  const response = await annotate("?neighbors=0&strategy=guess&colour=red");
  assert.equal(response.status, 400);
  assert.equal(response.headers.get("content-type"), "application/problem+json; charset=utf-8");
  const problem = (await response.json()) as Json & { violations: { field: string }[] };
  assert.equal(problem.tag, "bad-request");
  assert.equal(problem.traceId, response.headers.get("x-trace-id"));
  assert.deepEqual(problem.violations.map(({ field }) => field).sort(), ["", "neighbors", "strategy"]);
  assert.equal((await annotate("?filter=blood")).status, 400);
  assert.equal((await annotate("?index=nope")).status, 400);
  assert.equal((await annotate("?index=blood-index&model=bare")).status, 400);
  assert.equal((await annotate("", Buffer.from("no file"))).status, 400);
  assert.equal((await annotate("", await h5ad({ cells: 0 }))).status, 400);
});

const createJob = (body: unknown, headers: Record<string, string> = {}, query = "") =>
  fetch(`${world.url}/v1/jobs${query}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    headers: { "content-type": "application/json", ...headers },
  });

test("jobs are created from protobuf JSON, once per key", async () => {
  const spec = { ingest: { dataset: "blood", uris: ["file:///a.h5ad"] } };
  const created = await createJob(spec, { "idempotency-key": "new" }, "?after=one&after=two&max_attempts=3");
  assert.equal(created.status, 201);
  assert.equal(created.headers.get("location"), "/v1/jobs/0190-job");
  const job = (await created.json()) as Json & { spec: Json; after: string[] };
  assert.equal((job.spec.ingest as Json).dataset, "blood");
  assert.deepEqual(job.after, ["one", "two"]);
  assert.equal(job.state, "JOB_STATE_RUNNING");
  assert.equal((await createJob(spec, { "idempotency-key": "again" })).status, 200);
});

test("a job that is no protobuf JSON is refused with what is wrong", async () => {
  const unknown = await createJob({ ingest: { datasets: "blood" } });
  assert.equal(unknown.status, 400);
  assert.match(((await unknown.json()) as { detail: string }).detail, /datasets/);
  assert.equal((await createJob([])).status, 400);
  assert.equal((await createJob("{")).status, 400);
  assert.equal((await createJob("ingest", { "content-type": "text/plain" })).status, 415);
  assert.equal((await createJob({}, { "idempotency-key": "k".repeat(201) })).status, 400);
});

test("jobs are listed, shown, taken apart and cancelled", async () => {
  const page = (await (
    await get("/v1/jobs?state=RUNNING&state=JOB_STATE_FAILED&kind=extract&page_size=5")
  ).json()) as {
    jobs: { kind: string; progress: Json }[];
    nextPageToken: string;
  };
  assert.equal(page.jobs[0]?.kind, "extract");
  assert.equal(page.jobs[0]?.progress.total, "10");
  assert.equal(page.nextPageToken, "");
  assert.equal((await get("/v1/jobs?state=DONE")).status, 400);
  assert.equal((await get("/v1/jobs?page_size=501")).status, 400);
  assert.equal(((await (await get("/v1/jobs/0190-job")).json()) as Json).id, "0190-job");
  const items = (await (await get("/v1/jobs/0190-job/items?state=FAILED")).json()) as { items: Json[] };
  assert.equal(items.items[0]?.key, "file:///a.h5ad");
  const cancelled = await fetch(`${world.url}/v1/jobs/0190-job/cancel`, { method: "POST" });
  assert.equal(((await cancelled.json()) as Json).cancelRequested, true);
  const missing = await get("/v1/jobs/nope");
  assert.equal(missing.status, 404);
  assert.equal(((await missing.json()) as Json).tag, "not-found");
});

test("a watch sends the job now and after every change, then its end", async () => {
  const response = await get("/v1/jobs/0190-job/watch");
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.match(response.headers.get("x-trace-id") ?? "", /^[0-9a-f]{32}$/);
  const events = (await response.text())
    .trim()
    .split("\n\n")
    .map((event) => event.split("\n"));
  assert.deepEqual(
    events.map(([name]) => name),
    ["event: job", "event: job", "event: end"],
  );
  assert.deepEqual(
    events.slice(0, 2).map(([, id]) => id),
    ["id: 3", "id: 4"],
  );
  assert.equal((JSON.parse(events[1]?.[2]?.slice(6) ?? "") as Json).state, "JOB_STATE_SUCCEEDED");
  assert.equal((await get("/v1/jobs/nope/watch")).status, 404);
});

test("a watch that breaks says so, and one that nobody reads any more ends", async () => {
  let watching = 0;
  const other = await startWorld({
    jobs: {
      async *watchJob({ id }, context) {
        watching++;
        try {
          yield { job: { id } };
          if (id === "breaks") throw new ConnectError("gone", Code.Unavailable);
          await new Promise((resolve) => context.signal.addEventListener("abort", resolve, { once: true }));
        } finally {
          watching--;
        }
      },
    },
  });
  try {
    const text = await (await fetch(`${other.url}/v1/jobs/breaks/watch`)).text();
    assert.match(text, /event: error\ndata: \{.*"status":503/);
    const controller = new AbortController();
    const open = await fetch(`${other.url}/v1/jobs/long/watch`, { signal: controller.signal });
    assert.equal(watching, 1);
    controller.abort();
    await assert.rejects(open.text());
    for (let i = 0; i < 100 && watching > 0; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(watching, 0);
    const atStop = await fetch(`${other.url}/v1/jobs/long/watch`);
    const rest = atStop.text();
    await other.rest.close();
    assert.match(await rest, /event: job/);
  } finally {
    await other.stop();
  }
});

test("the catalog is listed and its lineage followed", async () => {
  for (const [path, key] of [
    ["/v1/datasets", "datasets"],
    ["/v1/curricula", "curricula"],
    ["/v1/models", "models"],
    ["/v1/indexes", "indexes"],
  ] as const) {
    const page = (await (await get(`${path}?page_size=10`)).json()) as Record<string, Json[]>;
    assert.ok((page[key]?.length ?? 0) > 0, path);
  }
  const lineage = (await (await get("/v1/lineage/index/blood-index")).json()) as { nodes: Json[] };
  assert.deepEqual([lineage.nodes[0]?.kind, lineage.nodes[0]?.name], ["index", "blood-index"]);
});

test("the OpenAPI document names every route and no other", async () => {
  const document = (await (await get("/openapi.json")).json()) as {
    openapi: string;
    paths: Record<string, Json>;
    components: { schemas: Json };
  };
  assert.equal(document.openapi, "3.1.0");
  const probes = new Set(["/livez", "/readyz", "/metrics"]);
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  const { endpoints } = describeApi("1.2.3");
  for (const { method, path } of endpoints) {
    const url = path.replaceAll(/\{(\w+)\}/g, ":$1");
    const known =
      probes.has(path) || world.rest.fastify.hasRoute({ method: method.toUpperCase() as "GET", url });
    assert.ok(known, `${method} ${path} is told but not served`);
  }
  const tree = world.rest.fastify.printRoutes({ commonPrefix: false });
  const served = (tree.match(/\b(?:GET|POST)\b/g) ?? []).length;
  assert.equal(served, told.length - probes.size, tree);
  const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
  for (const [, name] of references) assert.ok(document.components.schemas[name ?? ""], name);
});

test("the pages escape what they show, run nothing, and survive a service that is away", async () => {
  const response = await get("/");
  const text = await response.text();
  assert.match(response.headers.get("content-security-policy") ?? "", /default-src 'none'/);
  assert.match(text, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.match(text, /&lt;away&gt;/);
  assert.doesNotMatch(text, /<script>|<away>|<b>model/);
  assert.match(text, /3 of 10 cells/);
  assert.match(text, /http-equiv="refresh"/);
  assert.match(await (await get("/docs")).text(), /POST \/v1\/annotate/);
  const poor = await startWorld({
    catalog: {
      listModels: () => {
        throw new ConnectError("<i>catalog away</i>", Code.FailedPrecondition);
      },
    },
  });
  try {
    const page = await (await fetch(`${poor.url}/`)).text();
    assert.match(page, /Not available: &lt;i&gt;catalog away/);
    assert.match(page, /blood-index/);
  } finally {
    await poor.stop();
  }
});
