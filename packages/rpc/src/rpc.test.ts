import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  Code,
  type ConnectError,
  createClient,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
} from "@cytomesh/contracts/google/rpc/error_details";
import { Health, HealthCheckResponse_ServingStatus } from "@cytomesh/contracts/grpc/health/v1/health";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import {
  bindService,
  type Channel,
  createEdgeHandler,
  createLogger,
  createMetrics,
  currentCall,
  forwardService,
  type HostedService,
  hostService,
  openChannel,
  type ServiceBinding,
  tagOf,
} from "./index.ts";

const logger = createLogger("test", "silent");
const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const cleanUp of cleanups.reverse()) await cleanUp();
});

async function host(...services: ServiceBinding[]): Promise<{ hosted: HostedService; channel: Channel }> {
  const hosted = await hostService({
    name: "test",
    host: "127.0.0.1",
    grpcPort: 0,
    healthPort: 0,
    services,
    logger,
    metrics: createMetrics("test"),
  });
  hosted.setServing(true);
  const channel = openChannel(hosted.address);
  cleanups.push(() => hosted.stop(200));
  cleanups.push(() => channel.close());
  return { hosted, channel };
}

class DomainError extends Error {
  readonly tag = "no-such-dataset";
  readonly grpcCode = "not_found";
  readonly httpStatus = 404;
  readonly violations = [
    { field: "dataset", description: "expected a known dataset, found nothing of that name" },
  ];
}

function extractImpl(over: Partial<ServiceImpl<typeof ExtractService>> = {}): ServiceBinding {
  return bindService(ExtractService, {
    countCells: () => ({ cells: 42n }),
    listValues: () => ({}),
    getCells: () => ({}),
    prepareCurriculum: () => ({}),
    extractBins: () => ({}),
    ...over,
  });
}

/** Echoes batches: as many vector bytes back as data bytes came in. */
const echo: ServiceBinding = bindService(InferenceService, {
  async *embed(requests) {
    for await (const { message } of requests)
      if (message.case === "rows") yield { cells: message.value.cellIds.length, vectors: message.value.data };
  },
  async *search() {},
  async *annotate() {},
  embedBins: () => ({}),
  buildIndex: () => ({}),
});

async function* batches(count: number, bytes: number) {
  yield { message: { case: "header" as const, value: { model: "m" } } };
  for (let i = 0; i < count; i++)
    yield {
      message: { case: "rows" as const, value: { cellIds: [`c${i}`], data: new Uint8Array(bytes).fill(i) } },
    };
}

test("a unary call returns the handler's answer and health says SERVING", async () => {
  const { channel, hosted } = await host(extractImpl());
  assert.equal((await channel.client(ExtractService).countCells({ dataset: "d" })).cells, 42n);
  const health = channel.client(Health);
  const serving = HealthCheckResponse_ServingStatus.SERVING;
  assert.equal((await health.check({})).status, serving);
  assert.equal((await health.check({ service: ExtractService.typeName })).status, serving);
  await assert.rejects(health.check({ service: "nope" }), { code: Code.NotFound });
  hosted.setServing(false);
  assert.equal((await health.check({})).status, HealthCheckResponse_ServingStatus.NOT_SERVING);
});

test("a domain error arrives with code, tag, violations and request id; an untagged one keeps its text to the log", async () => {
  const { channel } = await host(
    extractImpl({
      countCells: () => {
        throw new DomainError("no dataset d");
      },
      listValues: () => {
        throw new Error("password=hunter2");
      },
    }),
  );
  const client = channel.client(ExtractService);
  await assert.rejects(
    client.countCells({}, { headers: { "x-request-id": "r-1" } }),
    (error: ConnectError) => {
      assert.equal(error.code, Code.NotFound);
      assert.equal(error.rawMessage, "no dataset d");
      assert.equal(tagOf(error), "no-such-dataset");
      assert.equal(error.findDetails(ErrorInfoSchema)[0]?.domain, "cytomesh");
      assert.equal(error.findDetails(BadRequestSchema)[0]?.fieldViolations[0]?.field, "dataset");
      assert.equal(error.findDetails(RequestInfoSchema)[0]?.requestId, "r-1");
      return true;
    },
  );
  await assert.rejects(client.listValues({}), (error: ConnectError) => {
    assert.equal(error.code, Code.Internal);
    assert.doesNotMatch(error.message, /hunter2/);
    return true;
  });
});

test("deadline, cancellation and request id travel through a second service", async () => {
  let seen:
    | { timeoutMs: number | undefined; requestId: string | undefined; aborted: Promise<void> }
    | undefined;
  const inner = await host(
    extractImpl({
      countCells: async (_request, context: HandlerContext) => {
        const aborted = new Promise<void>((resolve) =>
          context.signal.addEventListener("abort", () => resolve()),
        );
        seen = { timeoutMs: context.timeoutMs(), requestId: currentCall()?.requestId, aborted };
        await aborted;
        return {};
      },
    }),
  );
  const innerClient = inner.channel.client(ExtractService);
  const outer = await host(extractImpl({ countCells: async () => innerClient.countCells({}) }));
  const client = outer.channel.client(ExtractService);
  await assert.rejects(client.countCells({}, { timeoutMs: 150, headers: { "x-request-id": "r-2" } }), {
    code: Code.DeadlineExceeded,
  });
  assert.ok(seen !== undefined && seen.timeoutMs !== undefined && seen.timeoutMs <= 150);
  assert.equal(seen.requestId, "r-2");
  await seen.aborted;

  seen = undefined;
  const controller = new AbortController();
  const pending = client.countCells({}, { signal: controller.signal });
  while (seen === undefined) await sleep(5);
  controller.abort();
  await assert.rejects(pending, { code: Code.Canceled });
  await (seen as { aborted: Promise<void> }).aborted;
});

test("a bidirectional stream loses neither its tail nor its status", async () => {
  const { channel } = await host(echo);
  let received = 0;
  let last = -1;
  for await (const response of channel.client(InferenceService).embed(batches(60, 256 * 1024))) {
    received += 1;
    last = response.vectors[0] ?? -1;
  }
  assert.equal(received, 60);
  assert.equal(last, 59);
});

test("a reader that leaves early stops the handler, and a slow reader does not make it run ahead", async () => {
  let produced = 0;
  let closed = false;
  const { channel } = await host(
    bindService(JobService, {
      createJob: () => ({}),
      getJob: () => ({}),
      listJobs: () => ({}),
      listJobItems: () => ({}),
      cancelJob: () => ({}),
      async *watchJob() {
        try {
          for (; produced < 5_000; produced++) yield { job: { id: "x".repeat(64 * 1024) } };
        } finally {
          closed = true;
        }
      },
    }),
  );
  for await (const _ of channel.client(JobService).watchJob({ id: "j" })) {
    await sleep(50);
    break;
  }
  for (let i = 0; i < 200 && !closed; i++) await sleep(10);
  assert.ok(closed, "the generator was closed");
  assert.ok(produced < 2_000, `produced ${produced} of 5000 messages for a reader of one`);
});

test("an error after some messages reaches the reader, and so does one of its own input", async () => {
  const { channel } = await host(
    bindService(InferenceService, {
      async *embed() {
        yield { cells: 1 };
        throw new DomainError("gone half way");
      },
      async *search(requests) {
        for await (const _ of requests) yield {};
      },
      async *annotate() {},
      embedBins: () => ({}),
      buildIndex: () => ({}),
    }),
  );
  const client = channel.client(InferenceService);
  let cells = 0;
  await assert.rejects(
    async () => {
      for await (const response of client.embed(batches(1, 8))) cells += response.cells;
    },
    { code: Code.NotFound },
  );
  assert.equal(cells, 1);
  await assert.rejects(async () => {
    const broken = async function* () {
      yield { message: { case: "header" as const, value: {} } };
      throw new Error("the file ended early");
    };
    for await (const _ of client.search(broken()));
  }, /the file ended early/);
});

test("an unavailable service is tried again until it is there", async () => {
  const first = await host(extractImpl());
  const { port } = first.hosted.grpc;
  const client = first.channel.client(ExtractService);
  await client.countCells({});
  await first.hosted.stop(100);
  const pending = client.countCells({});
  await sleep(150);
  const again = await hostService({
    name: "test",
    host: "127.0.0.1",
    grpcPort: port,
    healthPort: undefined,
    services: [extractImpl({ countCells: () => ({ cells: 7n }) })],
    logger,
    metrics: createMetrics("test"),
  });
  cleanups.push(() => again.stop(100));
  assert.equal((await pending).cells, 7n);
});

test("the same handlers answer Connect, gRPC-Web and gRPC at an edge, forwarded from another service", async () => {
  const { channel } = await host(
    extractImpl({
      listValues: () => {
        throw new DomainError("no dataset");
      },
    }),
    echo,
  );
  const services = [forwardService(ExtractService, channel), forwardService(InferenceService, channel)];
  const edge = createEdgeHandler({ services });
  const h1 = createServer(edge);
  const h2 = createHttp2Server(edge);
  for (const server of [h1, h2]) {
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => server.close());
  }
  const url = (server: { address(): unknown }) =>
    `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sessions = new AbortController();
  cleanups.push(() => sessions.abort());
  const transports = [
    createConnectTransport({ baseUrl: url(h1), httpVersion: "1.1" }),
    createGrpcWebTransport({ baseUrl: url(h1), httpVersion: "1.1" }),
    createConnectTransport({ baseUrl: url(h2), httpVersion: "2", idleConnectionTimeoutMs: 50 }),
    createGrpcTransport({ baseUrl: url(h2), idleConnectionTimeoutMs: 50 }),
  ];
  for (const transport of transports) {
    const client = createClient(ExtractService, transport);
    assert.equal((await client.countCells({ dataset: "d" })).cells, 42n);
    await assert.rejects(client.listValues({}), (error: ConnectError) => {
      assert.equal(error.code, Code.NotFound);
      assert.equal(tagOf(error), "no-such-dataset");
      return true;
    });
  }
  let received = 0;
  const grpc = createClient(InferenceService, transports[3] as (typeof transports)[number]);
  for await (const _ of grpc.embed(batches(10, 1024))) received += 1;
  assert.equal(received, 10);
});

test("probes tell liveness, readiness and metrics", async () => {
  const { hosted, channel } = await host(extractImpl());
  await channel.client(ExtractService).countCells({});
  const get = async (path: string) => {
    const response = await fetch(`http://${hosted.healthAddress}${path}`);
    return { status: response.status, body: await response.text() };
  };
  assert.equal((await get("/livez")).status, 200);
  assert.equal((await get("/readyz")).status, 200);
  assert.match(
    (await get("/metrics")).body,
    /rpc_server_duration_seconds_count\{[^}]*rpc_method="CountCells"[^}]*\} 1/,
  );
  assert.equal((await get("/other")).status, 404);
  hosted.setServing(false);
  const refused = await get("/readyz");
  assert.equal(refused.status, 503);
  assert.match(refused.body, /not ready/);
});
