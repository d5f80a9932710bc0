import assert from "node:assert/strict";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import {
  type AnnotateHeaderSchema,
  type AnnotateResponse,
  type CellRowsSchema,
  InferenceService,
  SearchResponseSchema,
} from "@cytomesh/contracts/inference/v1/inference_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { attempt, newJobRun } from "@cytomesh/jobs/testing";
import {
  bindService,
  type Channel,
  createLogger,
  createMetrics,
  type HostedService,
  hostService,
  openChannel,
  tagOf,
} from "@cytomesh/rpc";
import { createTaskPool, storeLayout, type TaskPool } from "@cytomesh/service-kit";
import { openIndex } from "@cytomesh/vector-index";
import { inferenceServiceImpl } from "./rpc/inference-service.ts";
import { buildIndexHandler } from "./services/build-index-job.ts";
import type { InferenceDeps } from "./services/deps.ts";
import { embedHandler } from "./services/embed-job.ts";
import { embedNaive, nearestNaive, ontologyNaive, summaryNaive } from "./testing/naive.ts";
import { type Cell, geneIds, makeCells, makeWorld, schemaIds, termIds } from "./testing/world.ts";

type World = Awaited<ReturnType<typeof makeWorld>>;
type Rows = MessageInitShape<typeof CellRowsSchema>;

const neighbors = 25;
const queries = makeCells(12, 99, 1_000_000);

let world: World;
let pool: TaskPool;
let runs: { name: string; input: Record<string, unknown> }[] = [];
let busy = 0;
let deps: InferenceDeps;
let hosted: HostedService;
let channel: Channel;
let client: Client<typeof InferenceService>;
let created: unknown[] = [];

before(async () => {
  world = await makeWorld();
  const real = createTaskPool(new URL("./services/tasks.ts", import.meta.url), { threads: 2 });
  pool = {
    ...real,
    async run(name, input, options) {
      runs.push({ name, input: input as Record<string, unknown> });
      busy += 1;
      try {
        return await real.run(name, input, options);
      } finally {
        busy -= 1;
      }
    },
  };
  deps = { ...world, pool };
  const jobs = {
    async createJob(request: unknown) {
      created.push(request);
      return { job: { id: "job-9" }, created: true };
    },
  } as unknown as Client<typeof JobService>;
  const serving = { ...deps, cachedIndexes: 2, lifetime: new AbortController().signal };
  hosted = await hostService({
    name: "inference",
    host: "127.0.0.1",
    grpcPort: 0,
    healthPort: undefined,
    services: [bindService(InferenceService, inferenceServiceImpl({ serving, jobs }))],
    logger: createLogger("test", "silent"),
    metrics: createMetrics("inference", { processMetrics: false }),
  });
  hosted.setServing(true);
  channel = openChannel(hosted.address);
  client = channel.client(InferenceService);
});

after(async () => {
  channel?.close();
  await hosted?.stop(500);
  await pool?.close();
  await world?.close();
});

/** Rows of cells over the genes named; a gene named twice has its counts in both halves. */
function rowsOf(cells: readonly Cell[], genes: readonly string[], totals = true): Rows {
  const entries = cells.map((cell) =>
    genes.flatMap((gene, column) => {
      const count = cell.counts[geneIds.indexOf(gene)] ?? 7;
      return count > 0 ? [[column, count] as const] : [];
    }),
  );
  const indptr = new Uint32Array(cells.length + 1);
  entries.forEach((row, i) => {
    indptr[i + 1] = indptr[i]! + row.length;
  });
  const flat = entries.flat();
  const bytes = (array: Uint32Array | Float32Array) => new Uint8Array(array.buffer);
  return {
    cellIds: cells.map((cell) => `q${cell.id}`),
    indptr: bytes(indptr),
    indices: bytes(Uint32Array.from(flat, ([column]) => column)),
    data: bytes(Float32Array.from(flat, ([, count]) => count)),
    ...(totals ? { totalCounts: bytes(Float32Array.from(cells, (cell) => cell.total)) } : {}),
  };
}

async function* messages<H>(header: H | undefined, batches: readonly Rows[]) {
  if (header !== undefined) yield { message: { case: "header" as const, value: header } };
  for (const value of batches) yield { message: { case: "rows" as const, value } };
}

async function annotate(header: MessageInitShape<typeof AnnotateHeaderSchema>, batches: readonly Rows[]) {
  const responses: AnnotateResponse[] = [];
  for await (const one of client.annotate(messages(header, batches))) responses.push(one);
  return { responses, annotations: responses.flatMap((one) => one.annotations) };
}

async function refusal(work: Promise<unknown>): Promise<ConnectError> {
  try {
    await work;
  } catch (error) {
    assert.ok(error instanceof ConnectError, String(error));
    return error;
  }
  return assert.fail("expected a refusal");
}

const close = (found: number, expected: number, what = "") =>
  assert.ok(Math.abs(found - expected) < 1e-5, `${what}: expected ${expected}, found ${found}`);

const embedSpec = { case: "embed" as const, value: { model: "pca", curriculum: "cur" } };
const indexSpec = {
  case: "buildIndex" as const,
  value: {
    embedding: "pca.cur",
    index: "idx",
    ontology: "mini",
    metadataColumns: ["donor", "flag"],
    makeDefault: true,
  },
};

describe("jobs", () => {
  test("a model that reads other genes than the bins have is refused by name", async () => {
    await assert.rejects(
      attempt(embedHandler(deps), { case: "embed", value: { model: "other", curriculum: "cur" } }),
      (error: Error & { tag: string }) =>
        error.tag === "schema-mismatch" && /other-genes.*genes/.test(error.message),
    );
  });

  test("an interrupted embedding goes on with the missing bins only", async () => {
    const handler = embedHandler({ ...deps, pool: { ...pool, threads: 1 } });
    const state = newJobRun();
    const stop = new AbortController();
    const interrupt = () => state.items.size === 2 && stop.abort(new Error("interrupted"));
    await assert.rejects(attempt(handler, embedSpec, state, { signal: stop.signal, onRecord: interrupt }));
    assert.equal(state.items.size, 2);
    assert.equal(world.tables.embeddings.size, 0);
    runs = [];
    const result = await attempt(handler, embedSpec, state);
    assert.deepEqual(result, { embedding: "pca.cur", cells: 300n, dimension: 6 });
    assert.equal(state.expected, 5);
    assert.deepEqual(
      runs.map(({ input }) => (input.bin as { bin: number }).bin),
      [2, 3, 4],
    );
    assert.equal(state.progress.at(-1)?.done, 300);
    assert.deepEqual(await readdir(world.tempDir), []);
  });

  test("embedding again changes nothing, another model under the name is refused before it writes", async () => {
    const dir = world.store.localPath(`${storeLayout(world.storeUri).embedding("pca.cur")}/manifest.json`)!;
    const manifest = await readFile(dir);
    await attempt(embedHandler(deps), embedSpec);
    assert.deepEqual(await readFile(dir), manifest);
    const other = { ...world.tables.models.get("pca")!, name: "pca2", sha256: "1".repeat(64) };
    world.tables.models.set("pca2", other);
    runs = [];
    await assert.rejects(
      attempt(embedHandler(deps), {
        case: "embed",
        value: { model: "pca2", curriculum: "cur", embedding: "pca.cur" },
      }),
      { tag: "embedding-exists" },
    );
    assert.deepEqual(runs, []);
    world.tables.models.delete("pca2");
  });

  test("a damaged bin fails the job, and a bin that vanished from the store is embedded again", async () => {
    const bin = world.store.localPath(`${storeLayout(world.storeUri).bins("cur")}/extract_1.h5ad`)!;
    const whole = await readFile(bin);
    const damaged = Buffer.from(whole);
    damaged[damaged.length >> 1]! ^= 1;
    await writeFile(bin, damaged);
    const spec = { case: "embed" as const, value: { ...embedSpec.value, embedding: "second" } };
    const state = newJobRun();
    await assert.rejects(attempt(embedHandler(deps), spec, state), { tag: "corrupt" });
    await writeFile(bin, whole);
    await attempt(embedHandler(deps), spec, state);
    const file = world.store.localPath(`${storeLayout(world.storeUri).embedding("second")}/bin-000003.f32`)!;
    await rm(file);
    runs = [];
    await attempt(embedHandler(deps), spec, state);
    assert.equal(runs.length, 1);
    assert.equal((await readFile(file)).length % 24, 0);
  });

  test("an index carries ids, labels and lineage, and building it again changes nothing", async () => {
    const result = await attempt(buildIndexHandler(deps), indexSpec);
    assert.deepEqual(result, { index: "idx", cells: 300n, kind: "exact" });
    const known = world.tables.indexes.get("idx")!;
    assert.deepEqual(known.metadataColumns, ["donor", "flag", "cell_type", "cell_type_ontology_term_id"]);
    assert.deepEqual([known.defaultNeighbors, known.metric, known.ontology], [100, "cosine", "mini"]);
    assert.equal(world.tables.models.get("pca")!.isDefault, true);
    const dir = join(world.root, "store", "indexes", "idx");
    const index = await openIndex(dir);
    const byId = new Map(world.cells.map((cell) => [cell.id, cell]));
    const label = index.metadata("cell_type");
    const flag = index.metadata("flag");
    index.ids.forEach((id, position) => {
      assert.equal(label.categories[label.codes[position]!], byId.get(id)!.type);
      assert.equal(flag.categories[flag.codes[position]!], id % 2 === 1 ? "True" : "False");
    });
    const embedding = world.tables.embeddings.get("pca.cur")!;
    assert.deepEqual(index.manifest.lineage, {
      embedding: { name: "pca.cur", manifestSha256: embedding.manifestSha256 },
      model: { name: "pca", sha256: world.tables.models.get("pca")!.sha256 },
      curriculum: { name: "cur", manifestSha256: world.tables.curricula.get("cur")!.manifestSha256 },
      ingests: ["ing-0000000000000001"],
    });
    await index.close();
    await attempt(buildIndexHandler(deps), indexSpec);
    await assert.rejects(
      attempt(buildIndexHandler(deps), {
        case: "buildIndex",
        value: { ...indexSpec.value, metadataColumns: [] },
      }),
      { tag: "index-exists" },
    );
  });

  test("columns the curriculum lacks and ontologies the catalog lacks are refused", async () => {
    const handler = buildIndexHandler(deps);
    const value = { ...indexSpec.value, index: "bad" };
    await assert.rejects(
      attempt(handler, { case: "buildIndex", value: { ...value, metadataColumns: ["tissue"] } }),
      (error: Error & { tag: string }) =>
        error.tag === "unknown-column" && /tissue.*donor/.test(error.message),
    );
    await assert.rejects(
      attempt(handler, { case: "buildIndex", value: { ...value, ontology: "none" } }),
      (error: unknown) => error instanceof ConnectError && error.code === Code.NotFound,
    );
  });

  test("the job rpcs create jobs", async () => {
    created = [];
    const embed = await client.embedBins({ spec: embedSpec.value, idempotencyKey: "k" });
    const build = await client.buildIndex({ spec: indexSpec.value });
    assert.deepEqual([embed.job?.id, build.job?.id], ["job-9", "job-9"]);
    const specs = created as { idempotencyKey: string; spec: { spec: { case: string } } }[];
    assert.deepEqual(
      specs.map((one) => [one.idempotencyKey, one.spec.spec.case]),
      [
        ["k", "embed"],
        ["", "buildIndex"],
      ],
    );
  });
});

describe("streams", () => {
  const reference = () => world.cells.map((cell) => ({ cell, vector: embedNaive(cell, world.pca) }));
  const naive = (cell: Cell) => nearestNaive(embedNaive(cell, world.pca), reference(), neighbors);
  const summary = {
    search: { featureIds: geneIds, neighbors },
    strategy: { case: "summaryStatistics" as const, value: {} },
  };

  test("embeddings agree with a plain computation, batch by batch", async () => {
    const batches = [rowsOf(queries.slice(0, 5), geneIds), rowsOf(queries.slice(5), geneIds)];
    const vectors: number[] = [];
    let overlaps = 0;
    for await (const one of client.embed(messages({ model: "pca", featureIds: geneIds }, batches))) {
      if (one.overlap !== undefined) {
        overlaps += 1;
        assert.deepEqual(
          [one.overlap.modelGenes, one.overlap.queryGenes, one.overlap.sharedGenes],
          [50, 60, 50],
        );
      }
      vectors.push(...new Float32Array(new Uint8Array(one.vectors).buffer));
    }
    assert.equal(overlaps, 1);
    const expected = queries.flatMap((cell) => embedNaive(cell, world.pca));
    assert.equal(vectors.length, expected.length);
    for (const [i, value] of vectors.entries()) close(value, expected[i]!, `component ${i}`);
  });

  test("neighbours, their distances and the origin agree with a plain search", async () => {
    const header = { featureIds: geneIds, neighbors };
    const responses = [];
    for await (const one of client.search(messages(header, [rowsOf(queries, geneIds)]))) responses.push(one);
    const origin = responses[0]!.origin!;
    const index = world.tables.indexes.get("idx")!;
    assert.deepEqual(
      [origin.index, origin.indexSha256, origin.model, origin.modelSha256, origin.overlap?.sharedGenes],
      ["idx", index.manifestSha256, "pca", world.tables.models.get("pca")!.sha256, 50],
    );
    const found = responses.flatMap((one) => one.neighbors);
    assert.deepEqual(
      found.map((one) => one.queryCellId),
      queries.map((cell) => `q${cell.id}`),
    );
    queries.forEach((cell, i) => {
      const expected = naive(cell);
      assert.deepEqual(
        found[i]!.cellIds.map(Number),
        expected.map((one) => one.cell.id),
      );
      expected.forEach((one, n) => {
        close(found[i]!.distances[n]!, one.distance);
      });
    });
  });

  test("summary statistics agree with a plain vote", async () => {
    const { responses, annotations } = await annotate(summary, [rowsOf(queries, geneIds)]);
    assert.equal(responses.filter((one) => one.origin !== undefined).length, 1);
    queries.forEach((cell, i) => {
      const expected = summaryNaive(naive(cell));
      const found = annotations[i]!.summaryMatches;
      assert.deepEqual(
        found.map((match) => [match.cellType, match.cellCount]),
        expected.map((match) => [match.cellType, match.count]),
      );
      found.forEach((match, n) => {
        const numbers = [
          match.minDistance,
          match.p25Distance,
          match.medianDistance,
          match.p75Distance,
          match.maxDistance,
        ];
        for (const [at, value] of numbers.entries()) close(value, expected[n]!.numbers[at]!);
      });
      assert.equal(annotations[i]!.totalNeighbors, neighbors);
    });
  });

  test("ontology-aware votes agree with a plain one, pruned and not", async () => {
    const vote = (pruneThreshold: number) =>
      annotate(
        {
          search: { featureIds: geneIds, neighbors },
          strategy: { case: "ontologyAware", value: { pruneThreshold, weightingPrefactor: 1.5 } },
        },
        [rowsOf(queries, geneIds)],
      );
    const all = (await vote(0)).annotations;
    const pruned = (await vote(0.3)).annotations;
    queries.forEach((cell, i) => {
      const expected = ontologyNaive(naive(cell), 1.5);
      assert.deepEqual(
        all[i]!.ontologyMatches.map((match) => match.cellTypeOntologyTermId),
        termIds,
      );
      for (const match of all[i]!.ontologyMatches)
        close(match.score, expected.scores.get(match.cellTypeOntologyTermId) ?? 0, match.cellType);
      close(all[i]!.totalWeight, expected.total);
      assert.equal(all[i]!.totalNeighborsUnrecognized, expected.unrecognized);
      assert.deepEqual(
        pruned[i]!.ontologyMatches.map((match) => match.cellTypeOntologyTermId),
        termIds.filter((id) => (expected.scores.get(id) ?? 0) >= 0.3),
      );
    });
  });

  test("another gene order, unknown genes and genes in two columns give the same answer", async () => {
    const straight = await annotate(summary, [rowsOf(queries, geneIds)]);
    const shuffled = [...geneIds].sort((a, b) => (a.slice(-1) + a < b.slice(-1) + b ? -1 : 1));
    const mixed = ["no gene", ...shuffled, "nor this"];
    const search = { ...summary.search, featureIds: mixed };
    const other = await annotate({ ...summary, search }, [rowsOf(queries, mixed)]);
    assert.deepEqual(other.annotations, straight.annotations);

    // Every gene twice, half of its counts in each.
    const twice = [...geneIds, ...geneIds];
    const doubled = rowsOf(queries, twice);
    const data = new Float32Array((doubled.data as Uint8Array).buffer.slice(0));
    const half = { ...doubled, data: new Uint8Array(data.map((value) => value / 2).buffer) };
    const halves = await annotate({ ...summary, search: { ...summary.search, featureIds: twice } }, [half]);
    assert.deepEqual(halves.annotations, straight.annotations);
  });

  test("without totals the sums over all query genes count; without feature_ids the schema's order", async () => {
    const straight = await annotate(summary, [rowsOf(queries, geneIds)]);
    const summed = await annotate(summary, [rowsOf(queries, geneIds, false)]);
    assert.deepEqual(summed.annotations, straight.annotations);
    const own = await annotate({ ...summary, search: { neighbors } }, [rowsOf(queries, schemaIds)]);
    assert.deepEqual(own.annotations, straight.annotations);
    assert.equal(own.responses[0]!.origin!.overlap!.sharedGenes, 50);
  });

  test("filters keep matching cells; unknown columns and values are told with what there is", async () => {
    const filters = [{ column: "donor", values: ["donor 1"] }];
    const found = [];
    for await (const one of client.search(
      messages({ featureIds: geneIds, neighbors: 300, filters }, [rowsOf(queries.slice(0, 2), geneIds)]),
    ))
      found.push(...one.neighbors);
    assert.ok(found.every((one) => one.cellIds.every((id) => Number(id) % 3 === 1)));
    assert.equal(found[0]!.cellIds.length, 100);
    const search = (filter: { column: string; values: string[] }) =>
      refusal(annotate({ ...summary, search: { ...summary.search, filters: [filter] } }, []));
    const column = await search({ column: "tissue", values: ["x"] });
    assert.deepEqual([column.code, tagOf(column)], [Code.InvalidArgument, "unknown-filter"]);
    assert.match(column.message, /tissue.*donor, flag, cell_type/);
    const value = await search({ column: "donor", values: ["donor 9"] });
    assert.match(value.message, /"donor 9".*donor 0, donor 1, donor 2/);
  });

  test("large answers come in messages of bounded size, in the order of the rows", async () => {
    const many = makeCells(2_500, 5);
    const batches = [many.slice(0, 2_000), [], many.slice(2_000)].map((cells) => rowsOf(cells, geneIds));
    const header = { featureIds: geneIds, neighbors: 300 };
    const ids: string[] = [];
    let sent = 0;
    for await (const one of client.search(messages(header, batches))) {
      assert.ok(toBinary(SearchResponseSchema, one).length <= 4.1 * 1024 * 1024);
      ids.push(...one.neighbors.map((neighbor) => neighbor.queryCellId));
      sent += 1;
    }
    assert.ok(sent > 3);
    assert.deepEqual(
      ids,
      many.map((cell) => `q${cell.id}`),
    );
  });

  test("an answer comes before the next batch is sent", async () => {
    let answered = () => {};
    const first = new Promise<void>((resolve) => (answered = resolve));
    async function* interactive() {
      yield { message: { case: "header" as const, value: summary } };
      yield { message: { case: "rows" as const, value: rowsOf(queries.slice(0, 1), geneIds) } };
      await first;
      yield { message: { case: "rows" as const, value: rowsOf(queries.slice(1, 2), geneIds) } };
    }
    let cells = 0;
    for await (const one of client.annotate(interactive())) {
      cells += one.annotations.length;
      answered();
    }
    assert.equal(cells, 2);
  });

  /** Every thread comes to rest by itself; a task left running would keep this from ending. */
  async function threadsAtRest(): Promise<void> {
    while (busy > 0) await turn();
  }

  test("a cancelled stream frees its thread", async () => {
    const batch = rowsOf(makeCells(3_000, 6), geneIds);
    const header = { featureIds: geneIds, neighbors: 300 };
    runs = [];
    for await (const _ of client.search(messages(header, Array(20).fill(batch)))) break;
    await threadsAtRest();
    const { annotations } = await annotate(summary, [rowsOf(queries, geneIds)]);
    assert.equal(annotations.length, queries.length);
    assert.ok(runs.filter(({ name }) => name === "embedCells").length <= 4);
  });

  test("a deadline ends a stream whose caller sends nothing", async () => {
    async function* silent() {
      yield { message: { case: "header" as const, value: summary } };
      await new Promise(() => {});
    }
    const error = await refusal(
      (async () => {
        for await (const _ of client.annotate(silent(), { timeoutMs: 200 }));
      })(),
    );
    assert.equal(error.code, Code.DeadlineExceeded);
    await threadsAtRest();
  });

  test("headers that make no sense are refused with the field", async () => {
    const bad = async (header: MessageInitShape<typeof AnnotateHeaderSchema>) => {
      const error = await refusal(annotate(header, []));
      return [error.code, tagOf(error)];
    };
    const invalid = [Code.InvalidArgument, "invalid-header"];
    assert.deepEqual(await bad({ search: {} }), invalid);
    assert.deepEqual(await bad({ strategy: summary.strategy }), invalid);
    assert.deepEqual(await bad({ ...summary, search: { neighbors: 10_001 } }), invalid);
    assert.deepEqual(await bad({ ...summary, search: { filters: [{ column: "donor" }] } }), invalid);
    for (const value of [
      { pruneThreshold: 1.5 },
      { pruneThreshold: Number.NaN },
      { weightingPrefactor: -1 },
      { weightingPrefactor: Number.POSITIVE_INFINITY },
    ])
      assert.deepEqual(await bad({ search: {}, strategy: { case: "ontologyAware", value } }), invalid);
    assert.deepEqual(await bad({ ...summary, search: { index: "idx", model: "other" } }), invalid);
    assert.deepEqual(await bad({ ...summary, search: { model: "other" } }), [Code.NotFound, "no-index"]);
    assert.equal((await bad({ ...summary, search: { index: "none" } }))[0], Code.NotFound);
  });

  test("an index without labels or ontology cannot annotate", async () => {
    const index = world.tables.indexes.get("idx")!;
    world.tables.indexes.set("plain", {
      ...index,
      name: "plain",
      metadataColumns: ["donor"],
      isDefault: false,
    });
    world.tables.indexes.set("no-onto", { ...index, name: "no-onto", ontology: "", isDefault: false });
    const plain = await refusal(annotate({ ...summary, search: { index: "plain" } }, []));
    assert.deepEqual([plain.code, tagOf(plain)], [Code.FailedPrecondition, "no-labels"]);
    const aware = { case: "ontologyAware" as const, value: {} };
    const bare = await refusal(annotate({ search: { index: "no-onto" }, strategy: aware }, []));
    assert.deepEqual([bare.code, tagOf(bare)], [Code.FailedPrecondition, "no-ontology"]);
    world.tables.indexes.delete("plain");
    world.tables.indexes.delete("no-onto");
  });

  test("hostile streams are refused with what is wrong", async () => {
    const good = rowsOf(queries.slice(0, 2), geneIds);
    const told = async (
      rows: Rows,
      header: MessageInitShape<typeof AnnotateHeaderSchema> | "no header" = summary,
    ) => {
      const error = await refusal(
        (async () => {
          for await (const _ of client.annotate(
            messages(header === "no header" ? undefined : header, [rows]),
          ));
        })(),
      );
      return { code: error.code, tag: tagOf(error), message: error.message };
    };
    const with32 = (array: Uint8Array, at: number, value: number, float = false) => {
      const copy = array.slice();
      const view = new DataView(copy.buffer);
      if (float) view.setFloat32(at * 4, value, true);
      else view.setUint32(at * 4, value, true);
      return copy;
    };
    const { indptr, indices, data } = good as { indptr: Uint8Array; indices: Uint8Array; data: Uint8Array };
    assert.equal((await told(good, "no header")).tag, "header-expected");
    const invalid: [Rows, RegExp][] = [
      [{ ...good, indptr: indptr.slice(0, -4) }, /rows\.indptr: expected 3 offsets for 2 cells, found 2/],
      [{ ...good, indptr: indptr.slice(0, -1) }, /4 bytes/],
      [{ ...good, data: data.slice(4) }, /rows\.indices: expected as many as data/],
      [{ ...good, totalCounts: new Uint8Array(4) }, /rows\.total_counts: expected none or 2/],
      [{ ...good, indptr: with32(indptr, 0, 1) }, /begin with 0/],
      [{ ...good, indptr: with32(indptr, 1, 1_000_000) }, /cell "q1000001" \(row 1\): its entries end/],
      [{ ...good, indptr: with32(indptr, 2, 1_000_000) }, /expected to end at/],
      [{ ...good, indices: with32(indices, 0, 60) }, /cell "q1000000" \(row 0\): names gene 60 of 60/],
      [{ ...good, data: with32(data, 0, Number.NaN, true) }, /cell "q1000000".*found NaN/],
      [{ ...good, data: with32(data, data.length / 4 - 1, -1, true) }, /cell "q1000001" \(row 1\).*found -1/],
      [{ ...good, totalCounts: new Uint8Array(8) }, /is 0, but the cell has counts/],
    ];
    for (const [rows, message] of invalid) {
      const found = await told(rows);
      assert.deepEqual([found.code, found.tag], [Code.InvalidArgument, "invalid-rows"], found.message);
      assert.match(found.message, message);
    }
    const many = await told({ ...good, cellIds: Array.from({ length: 10_001 }, String) });
    assert.deepEqual([many.code, many.tag], [Code.InvalidArgument, "too-many-rows"]);
    const strangers = await told(good, { ...summary, search: { featureIds: ["A", "B", "C", "D"] } });
    assert.deepEqual([strangers.code, strangers.tag], [Code.FailedPrecondition, "no-shared-genes"]);
    assert.match(strangers.message, /"A", "B", "C" and 1 more.*"ENSG/);
    const twice = (async function* () {
      yield* messages(summary, [good]);
      yield* messages(summary, []);
    })();
    const second = await refusal(
      (async () => {
        for await (const _ of client.annotate(twice));
      })(),
    );
    assert.equal(tagOf(second), "rows-expected");
  });
});
