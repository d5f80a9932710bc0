import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@cytomesh/contracts/grpc/health/v1/health";
import { createInProcessBus, type EventBus } from "@cytomesh/events";
import { defineHandler } from "@cytomesh/jobs";
import { createLogger, openChannel } from "@cytomesh/rpc";
import { type StartOptions, startService } from "./start.ts";
import type { ServiceTools } from "./tools.ts";

// Node writes what it compiled when it ends, into a data directory that is gone by then.
process.env.NODE_DISABLE_COMPILE_CACHE = "1";

const idle = defineHandler("analysis", async () => ({}));

async function options(
  t: TestContext,
  over: Partial<StartOptions> = {},
): Promise<StartOptions & { bus: EventBus }> {
  const dir = await mkdtemp(join(tmpdir(), "service-kit-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  return {
    bus: createInProcessBus(),
    logger: createLogger("test", "silent"),
    processMetrics: false,
    env: {
      CYTOMESH_DATA_DIR: dir,
      CYTOMESH_GRPC_PORT: "0",
      CYTOMESH_HEALTH_PORT: "0",
      CYTOMESH_API_TARGET: "127.0.0.1:1",
      CYTOMESH_SHUTDOWN_GRACE: "1s",
    },
    ...over,
  } as StartOptions & { bus: EventBus };
}

const parts = (closed: string[]) => async (tools: ServiceTools) => ({
  services: [],
  handlers: [idle],
  async close() {
    closed.push(`parts of ${tools.name}`);
  },
});

function refusesConnections(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(Number(port), host);
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });
}

test("a service serves after the start, and nothing of it answers after the stop", async (t) => {
  const given = await options(t);
  const closed: string[] = [];
  const running = await startService("worker", parts(closed), given);
  const channel = openChannel(running.address);
  const { status } = await channel.client(Health).check({});
  assert.equal(status, Status.SERVING);
  channel.close();
  assert.deepEqual(closed, []);
  await running.stop();
  assert.deepEqual(closed, ["parts of worker"]);
  assert.ok(await refusesConnections(running.address));
  assert.ok(await refusesConnections(running.healthAddress as string));
  // A bus that was brought along belongs to whoever brought it.
  await given.bus.ready();
  await given.bus.close();
});

test("it is live but not ready while the control plane is away", async (t) => {
  const running = await startService("worker", parts([]), await options(t));
  t.after(() => running.stop());
  assert.equal((await fetch(`http://${running.healthAddress}/livez`)).status, 200);
  const ready = await fetch(`http://${running.healthAddress}/readyz`);
  assert.equal(ready.status, 503);
  assert.match(await ready.text(), /control plane at 127\.0\.0\.1:1/);
});

test("wrong settings stop the start before anything is made", async (t) => {
  const given = await options(t, { env: { CYTOMESH_THREADS: "many" } });
  await assert.rejects(
    startService("worker", () => assert.fail("must not be built"), given),
    /CYTOMESH_THREADS/,
  );
});

test("parts that cannot be built fail the start with their own error", async (t) => {
  const given = await options(t);
  await assert.rejects(
    startService("worker", () => Promise.reject(new Error("no model")), given),
    /no model/,
  );
});

test("a taken port fails the start and releases the parts", async (t) => {
  const first = await startService("worker", parts([]), await options(t));
  t.after(() => first.stop());
  const given = await options(t);
  const env = { ...given.env, CYTOMESH_GRPC_PORT: first.address.split(":")[1] };
  const closed: string[] = [];
  await assert.rejects(startService("worker", parts(closed), { ...given, env }), /cannot listen/);
  assert.deepEqual(closed, ["parts of worker"]);
});

test("a taken probe port fails the start and releases parts and gRPC port", async (t) => {
  const first = await startService("worker", parts([]), await options(t));
  t.after(() => first.stop());
  const given = await options(t);
  const env = { ...given.env, CYTOMESH_HEALTH_PORT: first.healthAddress?.split(":")[1] };
  const closed: string[] = [];
  await assert.rejects(startService("worker", parts(closed), { ...given, env }));
  assert.deepEqual(closed, ["parts of worker"]);
});

test("a queue that cannot be consumed fails the start and releases everything", async (t) => {
  const given = await options(t);
  await given.bus.close();
  const closed: string[] = [];
  await assert.rejects(startService("worker", parts(closed), given), { tag: "closed" });
  assert.deepEqual(closed, ["parts of worker"]);
});

test("a part that fails to close does not keep the rest open, and the stop says so", async (t) => {
  const service = await startService(
    "worker",
    async () => ({
      services: [],
      handlers: [idle],
      close: () => Promise.reject(new Error("the pool is stuck")),
    }),
    await options(t),
  );
  await assert.rejects(service.stop(), (error: AggregateError) => {
    assert.match(error.errors.map(String).join(), /the pool is stuck/);
    return true;
  });
  assert.ok(await refusesConnections(service.address));
  assert.ok(await refusesConnections(service.healthAddress as string));
});

test("a process that starts and stops a service, or fails to, ends by itself", async (t) => {
  const { env } = await options(t);
  const script = `
    import { createServer } from "node:net";
    import { startService } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
    import { createInProcessBus } from "@cytomesh/events";
    import { createLogger } from "@cytomesh/rpc";
    const logger = createLogger("test", "silent");
    const build = async () => ({ services: [], handlers: [], close: async () => {} });
    const bus = createInProcessBus();
    const running = await startService("worker", build, { bus, logger });
    const taken = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const env = { ...process.env, CYTOMESH_HEALTH_PORT: String(taken.address().port) };
    await startService("worker", build, { bus, logger, env }).then(() => { throw new Error("started") }, () => {});
    taken.close();
    await running.stop();
    await bus.close();
    console.log("stopped");
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--input-type=module-typescript", "--eval", script],
    { env: { ...process.env, ...env } as NodeJS.ProcessEnv, cwd: import.meta.dirname, timeout: 20_000 },
  );
  assert.equal(stdout, "stopped\n");
});
