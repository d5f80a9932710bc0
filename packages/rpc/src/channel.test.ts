import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, type ConnectError, type ServiceImpl } from "@connectrpc/connect";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { BadRequestSchema } from "@cytomesh/contracts/google/rpc/error_details";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@cytomesh/contracts/grpc/health/v1/health";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import {
  bindService,
  type ChannelOptions,
  createLogger,
  createMetrics,
  type HostedService,
  hostService,
  openChannel,
  type ServiceBinding,
  tagOf,
} from "./index.ts";

function extract(countCells: ServiceImpl<typeof ExtractService>["countCells"]): ServiceBinding {
  return bindService(ExtractService, {
    countCells,
    listValues: () => ({}),
    getCells: () => ({}),
    prepareCurriculum: () => ({}),
    extractBins: () => ({}),
  });
}

function watched(watchJob: ServiceImpl<typeof JobService>["watchJob"]): ServiceBinding {
  return bindService(JobService, {
    createJob: () => ({}),
    getJob: () => ({}),
    listJobs: () => ({}),
    listJobItems: () => ({}),
    cancelJob: () => ({}),
    watchJob,
  });
}

async function host(t: TestContext, service: ServiceBinding, port = 0): Promise<HostedService> {
  const hosted = await hostService({
    name: "test",
    host: "127.0.0.1",
    grpcPort: port,
    healthPort: undefined,
    services: [service],
    logger: createLogger("test", "silent"),
    metrics: createMetrics("test"),
  });
  hosted.setServing(true);
  t.after(() => hosted.stop(0));
  return hosted;
}

function channelTo(t: TestContext, target: string, options: ChannelOptions = {}) {
  const channel = openChannel(target, options);
  t.after(() => channel.close());
  return channel;
}

const failing = (code: Code) =>
  Object.assign(new Error("no"), { tag: "no", grpcCode: code, httpStatus: 500 });

test("calls go round all addresses, and one that is killed in the middle costs no call", async (t) => {
  const calls = [0, 0, 0];
  const hosts = await Promise.all(
    calls.map((_, i) =>
      host(
        t,
        extract(async () => {
          calls[i] = (calls[i] as number) + 1;
          await sleep(1);
          return { cells: BigInt(i) };
        }),
      ),
    ),
  );
  const target = `ipv4:${hosts.map(({ address }) => address).join(",")}`;
  const client = channelTo(t, target).client(ExtractService);
  // The first calls find only the first of the connections up.
  for (let i = 0; i < 300 && calls.some((count) => count === 0); i++) await client.countCells({});
  calls.fill(0);
  for (let i = 0; i < 30; i++) await client.countCells({});
  assert.deepEqual(calls, [10, 10, 10]);

  let done = 0;
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 50; i++) {
        await client.countCells({});
        done += 1;
      }
    }),
  );
  while (done < 40) await sleep(1);
  await (hosts[1] as HostedService).stop(0);
  await load;
  assert.equal(done, 200);
  calls.fill(0);
  for (let i = 0; i < 20; i++) await client.countCells({});
  assert.deepEqual(calls, [10, 0, 10]);
});

/** A service in a process of its own, which can be killed. */
const program = `
const { bindService, createLogger, createMetrics, hostService } = await import(process.argv[1]);
const { ExtractService } = await import("@cytomesh/contracts/extract/v1/extract_service");
const countCells = () => new Promise((resolve) => setTimeout(resolve, 5, { cells: 1n }));
const { address } = await hostService({
  name: "apart", host: "127.0.0.1", grpcPort: 0, healthPort: undefined,
  services: [bindService(ExtractService, { countCells })],
  logger: createLogger("apart", "silent"), metrics: createMetrics("apart"),
});
console.log(address);
`;

test("calls to a process that is killed with -9 are answered by another one", async (t) => {
  const index = new URL("./index.ts", import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, index], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: import.meta.dirname,
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  const other = await host(
    t,
    extract(() => ({ cells: 2n })),
  );
  const client = channelTo(t, `ipv4:${String(line).trim()},${other.address}`).client(ExtractService);
  const answers: bigint[] = [];
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 25; i++) {
        answers.push((await client.countCells({})).cells);
        if (answers.length === 60) child.kill("SIGKILL");
      }
    }),
  );
  assert.equal(answers.length, 200);
  assert.ok(answers.includes(1n), "both had been asked");
});

/** A gRPC server that dies after the head of every answer, as a killed one may; counts its calls. */
async function dyingMidAnswer(t: TestContext) {
  const server = createServer();
  let calls = 0;
  server.on("sessionError", () => undefined);
  server.on("stream", (stream) => {
    calls += 1;
    stream.on("error", () => undefined);
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" });
    // The head is on its way before the connection is cut.
    setTimeout(() => stream.session?.destroy(), 20);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, calls: () => calls };
}

test("a call whose answer was cut off is made again where the contract says that it does no harm", async (t) => {
  const dying = await dyingMidAnswer(t);
  const other = await host(
    t,
    extract(() => ({ cells: 2n })),
  );
  const client = channelTo(t, `ipv4:${dying.address},${other.address}`).client(ExtractService);
  // Round robin: of as many calls as it takes, one meets the dying service.
  for (let i = 0; i < 300 && dying.calls() === 0; i++) assert.equal((await client.countCells({})).cells, 2n);
  assert.ok(dying.calls() > 0);

  const alone = await dyingMidAnswer(t);
  const unlucky = channelTo(t, alone.address, { maxAttempts: 3 }).client(ExtractService);
  await assert.rejects(unlucky.countCells({}), { code: Code.Unavailable });
  assert.equal(alone.calls(), 3);
  await assert.rejects(unlucky.extractBins({}), { code: Code.Unavailable });
  assert.equal(alone.calls(), 4, "what has effects is not made twice");
});

test("only UNAVAILABLE is tried again", async (t) => {
  const tries = new Map<string, number>();
  const { address } = await host(
    t,
    extract(({ dataset }) => {
      tries.set(dataset, (tries.get(dataset) ?? 0) + 1);
      throw Object.assign(failing(Code.Unknown), { grpcCode: dataset });
    }),
  );
  const client = channelTo(t, address, { maxAttempts: 3 }).client(ExtractService);
  const codes = [
    "unavailable",
    "internal",
    "aborted",
    "resource_exhausted",
    "deadline_exceeded",
    "not_found",
  ];
  await Promise.all(codes.map((dataset) => assert.rejects(client.countCells({ dataset }))));
  assert.deepEqual(
    codes.map((code) => tries.get(code)),
    [3, 1, 1, 1, 1, 1],
  );
});

test("a stream that has begun is not tried again", async (t) => {
  let opened = 0;
  const { address } = await host(
    t,
    watched(async function* () {
      opened += 1;
      yield { job: { id: "1" } };
      throw Object.assign(new Error("the database is away"), {
        tag: "away",
        grpcCode: "unavailable",
        httpStatus: 503,
      });
    }),
  );
  const seen: (string | undefined)[] = [];
  await assert.rejects(
    async () => {
      for await (const { job } of channelTo(t, address).client(JobService).watchJob({ id: "j" }))
        seen.push(job?.id);
    },
    { code: Code.Unavailable },
  );
  assert.deepEqual([opened, seen], [1, ["1"]]);
});

test("a call that the stopping service drops is unavailable, not cancelled by its caller", async (t) => {
  const stuck = await host(
    t,
    extract(() => new Promise(() => {})),
  );
  const client = channelTo(t, stuck.address, { maxAttempts: 1 }).client(ExtractService);
  const call = assert.rejects(client.countCells({}), { code: Code.Unavailable });
  await sleep(50);
  await stuck.stop(0);
  await call;

  let heard = 0;
  const polite = await host(
    t,
    watched(async function* (_request, { signal }) {
      yield { job: { id: "1" } };
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      heard += 1;
      throw signal.reason;
    }),
  );
  const watch = channelTo(t, polite.address).client(JobService).watchJob({ id: "j" })[Symbol.asyncIterator]();
  await watch.next();
  const rest = assert.rejects(watch.next(), {
    code: Code.Unavailable,
    rawMessage: "the service is stopping",
  });
  await polite.stop(0);
  await rest;
  assert.equal(heard, 1);
});

test("a graceful stop under load loses no call that was taken", async (t) => {
  let served = 0;
  const slow = extract(async () => {
    await sleep(20);
    served += 1;
    return {};
  });
  const first = await host(t, slow);
  const second = await host(t, slow);
  const client = channelTo(t, `ipv4:${first.address},${second.address}`).client(ExtractService);
  await Promise.all([client.countCells({}), client.countCells({})]);
  served = 0;
  const calls = Promise.all(
    Array.from({ length: 100 }, async (_, i) => sleep(i).then(() => client.countCells({}))),
  );
  await sleep(40);
  await first.stop(5_000);
  await calls;
  assert.equal(served, 100);
});

test("an error of any length keeps its code and tag", async (t) => {
  const violations = Array.from({ length: 2_000 }, (_, i) => ({
    field: `uris[${i}]`,
    description: "expected a URI of a file that exists, found none",
  }));
  const { address } = await host(
    t,
    extract(() => {
      throw Object.assign(new Error("é".repeat(100_000)), {
        tag: "bad-files",
        grpcCode: "invalid_argument",
        httpStatus: 400,
        violations,
      });
    }),
  );
  await assert.rejects(channelTo(t, address).client(ExtractService).countCells({}), (error: ConnectError) => {
    assert.equal(error.code, Code.InvalidArgument);
    assert.equal(tagOf(error), "bad-files");
    assert.match(error.rawMessage, /^é{400,}…$/);
    const found = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
    assert.deepEqual(found[0]?.field, "uris[0]");
    assert.match(found.at(-1)?.description ?? "", /^and \d+ more$/);
    return true;
  });
});

test("an answer that cannot be sent is an error of that call and of nothing else", async (t) => {
  const { address } = await host(
    t,
    extract((_request, context) => {
      context.responseHeader.set("x-note", "\u00e9");
      return {};
    }),
  );
  await assert.rejects(channelTo(t, address).client(ExtractService).countCells({}), { code: Code.Internal });
});

test("who watches health sees every change, once, and is let go when the service stops", async (t) => {
  const hosted = await host(
    t,
    extract(() => ({})),
  );
  const client = channelTo(t, hosted.address, { maxAttempts: 1 }).client(Health);
  const seen: Status[] = [];
  for await (const { status } of client.watch({ service: "" })) {
    seen.push(status);
    if (seen.length === 1) {
      hosted.setServing(false);
      hosted.setServing(true);
      void hosted.stop(60_000);
    }
  }
  assert.deepEqual([seen[0], seen.at(-1)], [Status.SERVING, Status.NOT_SERVING]);
});
