import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describeEventBus } from "./contract.ts";
import { bytes, recorder, text, until } from "./contract-tools.ts";
import { connectJetStream, type JetStreamBusOptions } from "./jetstream-bus.ts";
import { findNatsServer, type RunningNatsServer, startNatsServer } from "./nats-server.ts";
import type { EventBus, EventLogger } from "./types.ts";

const reasons: string[] = [];
const found = await findNatsServer({ onReason: (reason) => reasons.push(reason) });

if (!found) {
  const message = `these tests need nats-server 2.10 or newer (scripts/ci/fetch-nats-server.sh): ${reasons.join("; ")}`;
  test("JetStream bus", { skip: process.env.CI_REQUIRE_NATS ? false : message }, () => assert.fail(message));
} else {
  const dir = await mkdtemp(join(tmpdir(), "events-"));
  const shared = await startNatsServer({ bin: found.path, dir: join(dir, "shared") });
  after(async () => {
    await shared.stop();
    await rm(dir, { recursive: true, force: true });
  });
  let prefixes = 0;
  const open = (more: Partial<JetStreamBusOptions> = {}): Promise<EventBus> =>
    connectJetStream({
      servers: shared.url,
      name: "test",
      streamPrefix: `t${++prefixes}`,
      // The server sets the sizes of all streams aside, and every test has streams of its own.
      limits: { jobsBytes: 4 << 20, factsBytes: 4 << 20, deadBytes: 4 << 20 },
      ...more,
    });

  describe("JetStream", { concurrency: true }, () => {
    describeEventBus("as every bus", open);
    describe("in trouble", { concurrency: true }, () => {
      crashTests(open, shared);
      settingsTests(open, shared);
      restartTests(found.path, dir);
    });
  });
}

function crashTests(
  open: (more?: Partial<JetStreamBusOptions>) => Promise<EventBus>,
  shared: RunningNatsServer,
): void {
  const program = fileURLToPath(new URL("./crashing-consumer.fixture.ts", import.meta.url));
  /** A process that takes a message and is killed in the middle of it. */
  const crashOnce = async (streamPrefix: string): Promise<void> => {
    const child = spawn(process.execPath, ["--no-warnings", program, shared.url, streamPrefix], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = new Promise((resolve) => child.once("exit", resolve));
    for await (const chunk of child.stdout) {
      if (String(chunk).includes("handling")) child.kill("SIGKILL");
    }
    await exited;
  };

  test("work of a consumer killed in the middle of it goes to another after the ack deadline", async () => {
    const bus = await open({ streamPrefix: "crash" });
    try {
      await bus.publishWork("jobs.crash.go", bytes("precious"), { messageId: "m" });
      await crashOnce("crash");
      assert.deepEqual(await bus.pending("crash"), { waiting: 0, inFlight: 1 });
      const { seen, handler } = recorder();
      await bus.consumeWork({ service: "crash", maxInFlight: 1, ackWaitMs: 1000 }, handler);
      await until(async () => seen.length === 1 && (await bus.pending("crash")).inFlight === 0, "taken over");
      assert.equal(text(seen[0]!.payload), "precious");
      assert.equal(seen[0]!.deliveryCount, 2);
    } finally {
      await bus.close();
    }
  });

  test("work whose consumer dies every time ends among the dead letters, unhandled", async () => {
    const bus = await open({ streamPrefix: "poison" });
    try {
      await bus.publishWork("jobs.crash.go", bytes("poison"), { messageId: "m" });
      await crashOnce("poison");
      const { seen, handler } = recorder();
      await bus.consumeWork({ service: "crash", maxInFlight: 1, ackWaitMs: 1000, maxDeliver: 1 }, handler);
      await until(async () => (await bus.deadLetters()).length === 1, "buried");
      assert.equal(seen.length, 0);
      const [letter] = await bus.deadLetters();
      assert.match(letter!.reason, /delivered 1 times and never settled/);
      assert.equal(text(letter!.payload), "poison");
      await until(async () => (await bus.pending("crash")).inFlight === 0, "out of the queue");
    } finally {
      await bus.close();
    }
  });
}

function settingsTests(
  open: (more?: Partial<JetStreamBusOptions>) => Promise<EventBus>,
  shared: RunningNatsServer,
): void {
  test("a stream of other settings is refused, and a too short duplicate window is repaired", async () => {
    const nc = await connect({ servers: shared.url });
    try {
      const jsm = await jetstreamManager(nc);
      await jsm.streams.add({ name: "odd_JOBS", subjects: ["odd.jobs.>"] });
      await assert.rejects(open({ streamPrefix: "odd" }), (error: Error & { tag: string }) => {
        assert.equal(error.tag, "settings_refused");
        assert.match(error.message, /odd_JOBS.*retention: expected "workqueue", found "limits"/);
        return true;
      });
      await (await open({ streamPrefix: "short", dedupeWindowMs: 500 })).close();
      await (await open({ streamPrefix: "short", dedupeWindowMs: 2000 })).close();
      assert.equal((await jsm.streams.info("short_JOBS")).config.duplicate_window, 2e9);
      // More than asked for is the operator's choice.
      await (await open({ streamPrefix: "short", dedupeWindowMs: 500 })).close();
      assert.equal((await jsm.streams.info("short_JOBS")).config.duplicate_window, 2e9);
    } finally {
      await nc.close();
    }
  });

  test("a full work queue refuses new work and takes it again when there is room", async () => {
    const bus = await open({ streamPrefix: "full" });
    const publish = (i: number): Promise<void> =>
      bus.publishWork("jobs.a.go", new Uint8Array(500_000), { messageId: `m${i}` });
    let stored = 0;
    await assert.rejects(
      async () => {
        for (; stored < 20; stored++) await publish(stored);
      },
      { tag: "queue_full", grpcCode: "resource_exhausted" },
    );
    assert.ok(stored >= 7 && stored <= 8, `${stored} messages of 500 kB in 4 MiB`);
    const { seen, handler } = recorder();
    await bus.consumeWork({ service: "a", maxInFlight: 4 }, handler);
    await until(async () => seen.length === stored && (await bus.pending("a")).inFlight === 0, "emptied");
    await publish(stored);
    await until(() => seen.length === stored + 1, "new work");
    await bus.close();
  });

  test("two services that start at once agree on the streams and the consumer", async () => {
    const buses = await Promise.all([1, 2, 3].map(() => open({ streamPrefix: "race" })));
    const { seen, handler } = recorder();
    await Promise.all(buses.map((bus) => bus.consumeWork({ service: "a", maxInFlight: 1 }, handler)));
    await buses[0]!.publishWork("jobs.a.go", bytes("x"), { messageId: "x" });
    await until(() => seen.length === 1, "delivered");
    await Promise.all(buses.map((bus) => bus.close()));
  });

  test("no server within the connect time is an error that names it, without the password", async () => {
    const servers = "nats://user:hunter2@127.0.0.1:9";
    await assert.rejects(
      connectJetStream({ servers, name: "t", connectTimeoutMs: 50 }),
      (error: Error & { tag: string }) => {
        assert.equal(error.tag, "unavailable");
        assert.match(error.message, /127\.0\.0\.1:9/);
        assert.doesNotMatch(error.message, /hunter2/);
        return true;
      },
    );
  });

  test("a consumer deleted on the server is made again and goes on", async () => {
    const errors: Error[] = [];
    const bus = await open({ streamPrefix: "gone" });
    const nc = await connect({ servers: shared.url });
    try {
      const { seen, handler } = recorder();
      await bus.consumeWork({ service: "a", maxInFlight: 2, onError: (e) => errors.push(e) }, handler);
      await (await jetstreamManager(nc)).consumers.delete("gone_JOBS", "work-a");
      await bus.publishWork("jobs.a.go", bytes("x"), { messageId: "x" });
      await until(() => seen.length === 1, "delivered");
    } finally {
      await nc.close();
      await bus.close();
    }
  });
}

const silent: EventLogger = { debug() {}, info() {}, warn() {}, error() {} };

function restartTests(bin: string, dir: string): void {
  test("a server killed and restarted on its store loses nothing acknowledged, and everyone goes on", async () => {
    const store = join(dir, "restarted");
    const first = await startNatsServer({ bin, dir: store, syncAlways: true });
    const port = Number(new URL(first.url).port);
    const bus = await connectJetStream({ servers: first.url, name: "restart", logger: silent });
    let second: RunningNatsServer | undefined;
    try {
      const handled = new Set<string>();
      const live: string[] = [];
      const durable: string[] = [];
      await bus.subscribeFacts("events.>", (f) => void live.push(text(f.payload)));
      await bus.subscribeFacts("events.>", (f) => void durable.push(text(f.payload)), { durable: "d" });
      const publish = async (from: number, to: number): Promise<void> => {
        for (let i = from; i < to; i++) {
          await bus.publishWork("jobs.a.go", bytes(`${i}`), { messageId: `m${i}` });
          await bus.publishFact(`events.n.${i}.x`, bytes(`${i}`));
        }
      };
      await publish(0, 20);
      await bus.consumeWork({ service: "a", maxInFlight: 2, ackWaitMs: 1000, backoffMs: [20] }, async (m) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        handled.add(text(m.payload));
      });
      await until(() => handled.size >= 5, "some handled");
      process.kill(first.pid, "SIGKILL");
      await first.stop();
      await until(
        async () =>
          await bus.ready().then(
            () => false,
            (e: Error & { tag: string }) => e.tag === "unavailable",
          ),
        "not ready",
      );
      const published = publish(20, 30);
      second = await startNatsServer({ bin, dir: store, port, syncAlways: true });
      await published;
      await until(() => handled.size === 30, "all handled");
      await until(() => new Set(live).size === 30 && new Set(durable).size === 30, "all facts");
      await bus.ready();
      await until(async () => (await bus.pending("a")).inFlight === 0, "all acknowledged");
      assert.deepEqual(await bus.deadLetters(), []);
      const order = Array.from({ length: 30 }, (_, i) => `${i}`);
      assert.deepEqual(live, order);
      assert.deepEqual([...new Set(durable)], order);
    } finally {
      await bus.close();
      await second?.stop();
    }
  });

  test("closing while the server is away does not wait for it", async () => {
    const server = await startNatsServer({ bin, dir: join(dir, "away") });
    const bus = await connectJetStream({ servers: server.url, name: "away", logger: silent });
    const { seen, handler } = recorder(() => new Promise(() => {}));
    await bus.publishWork("jobs.a.go", bytes("x"), { messageId: "x" });
    await bus.consumeWork({ service: "a", maxInFlight: 2 }, handler);
    await until(() => seen.length === 1, "running");
    await server.stop();
    await until(
      async () =>
        await bus.ready().then(
          () => false,
          () => true,
        ),
      "away",
    );
    const waiting = bus.publishWork("jobs.a.go", bytes("y"), { messageId: "y" });
    const refused = assert.rejects(waiting, { tag: "closed" });
    await bus.close();
    await refused;
  });
}
