import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EventsError } from "./errors.ts";
import { Reject, RetryLater } from "./outcomes.ts";
import type { ConsumeWorkOptions, EventBus, WorkMessage } from "./types.ts";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

/** Polls until `condition` holds; the bound only ends a test that would otherwise hang. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (await condition()) return;
    await sleep(10);
  }
  assert.fail(`never happened: ${what}`);
}

/** A handler that records what it was given, for tests of any bus. */
export function recorder(act: (message: WorkMessage) => void | Promise<void> = () => {}): {
  readonly seen: WorkMessage[];
  readonly texts: () => string[];
  readonly handler: (message: WorkMessage) => Promise<void>;
} {
  const seen: WorkMessage[] = [];
  return {
    seen,
    texts: () => seen.map((m) => text(m.payload)),
    async handler(message) {
      seen.push(message);
      await act(message);
    },
  };
}

const fast = (service: string, more: Partial<ConsumeWorkOptions> = {}): ConsumeWorkOptions => ({
  service,
  maxInFlight: 4,
  ackWaitMs: 1000,
  backoffMs: [20],
  ...more,
});

async function publishAll(bus: EventBus, service: string, names: string[]): Promise<void> {
  for (const name of names)
    await bus.publishWork(`jobs.${service}.go`, bytes(name), { messageId: `${service}:${name}` });
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

/**
 * The tests every event bus must pass. `make` opens a bus on a fresh store; `window` is its duplicate window in
 * milliseconds, which the suite waits out once.
 */
export function describeEventBus(name: string, make: () => Promise<EventBus>, window: number): void {
  const contract = (title: string, body: (bus: EventBus) => Promise<void>): void => {
    test(title, async () => {
      const bus = await make();
      try {
        await body(bus);
      } finally {
        await bus.close();
      }
    });
  };

  // Each test has a bus of its own and mostly waits: side by side they take as long as the longest.
  describe(name, { concurrency: true }, () => {
    workContract(contract);
    consumerContract(contract, window);
    deadLetterContract(contract);
    factContract(contract);
    refusalContract(contract);
  });
}

type Contract = (title: string, body: (bus: EventBus) => Promise<void>) => void;

function workContract(contract: Contract): void {
  contract("work arrives with its subject, id, headers and bytes, and is acknowledged", async (bus) => {
    const { seen, handler } = recorder();
    await bus.publishWork("jobs.a.load.fast", bytes("x"), {
      messageId: "id-1",
      headers: { TraceParent: " 00-ab ", name: "Zellgröße" },
    });
    assert.deepEqual(await bus.pending("a"), { waiting: 1, inFlight: 0 });
    const consumer = await bus.consumeWork(fast("a"), handler);
    await until(async () => seen.length === 1 && (await bus.pending("a")).inFlight === 0, "acknowledged");
    const [message] = seen;
    assert.equal(message!.subject, "jobs.a.load.fast");
    assert.equal(message!.messageId, "id-1");
    assert.equal(message!.deliveryCount, 1);
    assert.equal(text(message!.payload), "x");
    assert.deepEqual([...message!.headers].sort(), [
      ["name", "Zellgröße"],
      ["traceparent", "00-ab"],
    ]);
    assert.deepEqual(await bus.pending("a"), { waiting: 0, inFlight: 0 });
    await consumer.stop();
  });

  contract("a service gets its own work only, in order", async (bus) => {
    const a = recorder();
    const b = recorder();
    await publishAll(bus, "a", numbered(20));
    await publishAll(bus, "ab", ["other"]);
    await bus.consumeWork(fast("a", { maxInFlight: 1 }), a.handler);
    await bus.consumeWork(fast("ab"), b.handler);
    await until(() => a.seen.length === 20 && b.seen.length === 1, "all delivered");
    assert.deepEqual(a.texts(), numbered(20));
    assert.deepEqual(b.texts(), ["other"]);
  });

  contract("a throwing handler is given the message again", async (bus) => {
    const errors: Error[] = [];
    const { seen, handler } = recorder((m) => {
      if (m.deliveryCount < 3) throw new Error(`try ${m.deliveryCount}`);
    });
    await publishAll(bus, "a", ["x"]);
    await bus.consumeWork(fast("a", { onError: (e) => errors.push(e) }), handler);
    await until(
      async () => seen.length === 3 && (await bus.pending("a")).inFlight === 0,
      "third delivery acknowledged",
    );
    assert.deepEqual(
      seen.map((m) => m.deliveryCount),
      [1, 2, 3],
    );
    assert.deepEqual(
      errors.map((e) => e.message),
      ["try 1", "try 2"],
    );
    assert.deepEqual(await bus.deadLetters(), []);
  });

  contract("RetryLater sets its own delay", async (bus) => {
    const at: number[] = [];
    await publishAll(bus, "a", ["x"]);
    await bus.consumeWork(fast("a", { backoffMs: [60_000] }), async (m) => {
      at.push(performance.now());
      if (m.deliveryCount === 1) throw new RetryLater("not yet", { delayMs: 300 });
    });
    await until(() => at.length === 2, "second delivery");
    // A lower bound only: a delay that was ignored would be a few milliseconds.
    assert.ok(at[1]! - at[0]! >= 250, `redelivered after ${at[1]! - at[0]!} ms`);
  });

  contract(
    "heartbeats keep a handler's message although it takes longer than the ack deadline",
    async (bus) => {
      const { seen, handler } = recorder(() => sleep(2600));
      await publishAll(bus, "a", ["long"]);
      await bus.consumeWork(fast("a", { ackWaitMs: 1000 }), handler);
      const other = recorder();
      await bus.consumeWork(fast("a", { ackWaitMs: 1000 }), other.handler);
      await until(
        async () => (await bus.pending("a")).inFlight === 0 && seen.length + other.seen.length > 0,
        "handled",
      );
      await until(async () => (await bus.pending("a")).waiting === 0, "none waiting");
      assert.equal(seen.length + other.seen.length, 1);
    },
  );
}

function consumerContract(contract: Contract, window: number): void {
  contract("a repeated id within the window is dropped, and after it is not", async (bus) => {
    const { seen, handler } = recorder();
    for (let i = 0; i < 3; i++) await bus.publishWork("jobs.a.go", bytes(`${i}`), { messageId: "same" });
    assert.equal((await bus.pending("a")).waiting, 1);
    await bus.consumeWork(fast("a"), handler);
    await until(() => seen.length === 1, "first");
    // Acknowledged or not, the id is remembered.
    await bus.publishWork("jobs.a.go", bytes("again"), { messageId: "same" });
    await sleep(window * 1.5);
    await bus.publishWork("jobs.a.go", bytes("late"), { messageId: "same" });
    await until(() => seen.length === 2, "second");
    assert.deepEqual(
      seen.map((m) => text(m.payload)),
      ["0", "late"],
    );
  });

  contract("never more than maxInFlight handlers run, and that many do", async (bus) => {
    let running = 0;
    let most = 0;
    let done = 0;
    await publishAll(bus, "a", numbered(30));
    await bus.consumeWork(fast("a", { maxInFlight: 3 }), async () => {
      most = Math.max(most, ++running);
      await sleep(10);
      running--;
      done++;
    });
    await until(() => done === 30, "all handled");
    assert.equal(most, 3);
  });

  contract("competing consumers share the work, and no message is with two at once", async (bus) => {
    const perConsumer = [0, 0, 0];
    const now = new Set<string>();
    const handled = new Map<string, number>();
    const handler =
      (which: number) =>
      async (m: WorkMessage): Promise<void> => {
        assert.ok(!now.has(m.messageId), `${m.messageId} handled twice at once`);
        now.add(m.messageId);
        await sleep(5);
        now.delete(m.messageId);
        perConsumer[which]!++;
        handled.set(m.messageId, (handled.get(m.messageId) ?? 0) + 1);
      };
    for (const which of perConsumer.keys())
      await bus.consumeWork(fast("a", { maxInFlight: 2 }), handler(which));
    await publishAll(bus, "a", numbered(60));
    await until(async () => handled.size === 60 && (await bus.pending("a")).inFlight === 0, "all handled");
    assert.ok([...handled.values()].every((times) => times === 1));
    assert.ok(
      perConsumer.every((count) => count > 0),
      `shares ${perConsumer}`,
    );
  });

  contract("stop waits for running handlers and takes nothing new", async (bus) => {
    let finished = 0;
    const { seen, handler } = recorder(async () => {
      await sleep(150);
      finished++;
    });
    await publishAll(bus, "a", numbered(10));
    const consumer = await bus.consumeWork(fast("a", { maxInFlight: 2 }), handler);
    await until(() => seen.length === 2, "two running");
    await consumer.stop();
    assert.equal(finished, seen.length);
    assert.equal(seen.length, 2);
    assert.ok(seen.every((m) => m.signal.aborted));
    await consumer.stop();
    const next = recorder();
    await bus.consumeWork(fast("a"), next.handler);
    await until(() => next.seen.length === 8, "the rest goes to the next consumer");
    assert.ok(next.seen.every((m) => m.deliveryCount === 1));
  });

  contract(
    "stop aborts handlers that outlast the drain, and their work goes to another consumer",
    async (bus) => {
      const reacting = recorder(
        (m) => new Promise((_, reject) => m.signal.addEventListener("abort", () => reject(m.signal.reason))),
      );
      await publishAll(bus, "a", ["reacts"]);
      const first = await bus.consumeWork(
        fast("a", { backoffMs: [60_000], maxDeliver: 2 }),
        reacting.handler,
      );
      await until(() => reacting.seen.length === 1, "running");
      await first.stop({ drainMs: 20 });
      const deaf = recorder(() => new Promise(() => {}));
      const second = await bus.consumeWork(fast("a", { backoffMs: [60_000], maxDeliver: 3 }), deaf.handler);
      await until(() => deaf.seen.length === 1, "with the deaf one");
      await second.stop({ drainMs: 0 });
      const last = recorder();
      await bus.consumeWork(fast("a", { maxDeliver: 3 }), last.handler);
      await until(() => last.seen.length === 1, "with the last");
      assert.equal(last.seen[0]!.deliveryCount, 3);
      assert.deepEqual(await bus.deadLetters(), []);
    },
  );
}

function deadLetterContract(contract: Contract): void {
  contract(
    "work that fails maxDeliver times becomes a dead letter with reason, headers and bytes",
    async (bus) => {
      const { seen, handler } = recorder(() => {
        throw new TypeError("no gene\nnamed “TP53”");
      });
      const payload = new Uint8Array(1024 * 1024 - 8 * 1024 - 64).fill(7);
      await bus.publishWork("jobs.a.go", payload, { messageId: "x", headers: { trace: "t" } });
      await bus.consumeWork(fast("a", { maxDeliver: 2 }), handler);
      await until(async () => (await bus.deadLetters()).length === 1, "dead letter");
      await until(async () => (await bus.pending("a")).inFlight === 0, "out of the queue");
      const [letter] = await bus.deadLetters();
      assert.equal(seen.length, 2);
      assert.equal(letter!.subject, "jobs.a.go");
      assert.match(letter!.reason, /delivery 2 of 2: TypeError: no gene named “TP53”/);
      assert.deepEqual([...letter!.headers], [["trace", "t"]]);
      assert.deepEqual(letter!.payload, payload);
      assert.ok(letter!.at instanceof Date && Math.abs(letter!.at.getTime() - Date.now()) < 60_000);
    },
  );

  contract("Reject makes a dead letter at once; replaying gives it a fresh start", async (bus) => {
    let broken = true;
    const { seen, handler } = recorder(() => {
      if (broken) throw new Reject("schema version 9 is unknown");
    });
    await bus.publishWork("jobs.a.go", bytes("x"), { messageId: "x", headers: { trace: "t" } });
    await bus.consumeWork(fast("a"), handler);
    await until(async () => (await bus.deadLetters()).length === 1, "dead letter");
    const [letter] = await bus.deadLetters();
    assert.equal(letter!.reason, "schema version 9 is unknown");
    assert.equal(seen.length, 1);
    broken = false;
    await bus.replayDeadLetter(letter!.id);
    await until(() => seen.length === 2, "replayed");
    assert.deepEqual(await bus.deadLetters(), []);
    const again = seen[1]!;
    assert.deepEqual([again.subject, again.messageId, again.deliveryCount], ["jobs.a.go", "x", 1]);
    assert.equal(again.headers.get("trace"), "t");
    await assert.rejects(bus.replayDeadLetter(letter!.id), { tag: "not_found" });
    await assert.rejects(bus.replayDeadLetter("nonsense"), { tag: "not_found" });
  });

  contract("dead letters are listed newest first and up to a limit", async (bus) => {
    await bus.consumeWork(fast("a", { maxInFlight: 1 }), async (m) => {
      throw new Reject(text(m.payload));
    });
    await publishAll(bus, "a", numbered(5));
    await until(async () => (await bus.deadLetters()).length === 5, "five");
    const newest = await bus.deadLetters({ limit: 2 });
    assert.deepEqual(
      newest.map((l) => l.reason),
      ["m4", "m3"],
    );
    await bus.consumeWork(fast("b"), async () => {});
    const middle = (await bus.deadLetters()).find((l) => l.reason === "m3");
    await bus.replayDeadLetter(middle!.id);
    await until(async () => (await bus.deadLetters())[0]!.reason === "m3", "m3 dead again");
    assert.deepEqual(
      (await bus.deadLetters()).map((l) => l.reason),
      ["m3", "m4", "m2", "m1", "m0"],
    );
  });
}

function factContract(contract: Contract): void {
  contract("facts reach those whose filter matches, from then on, in order", async (bus) => {
    const all: string[] = [];
    const done: string[] = [];
    await bus.publishFact("events.job.0.done", bytes("before"));
    await bus.subscribeFacts("events.>", (f) => void all.push(f.subject));
    const subscription = await bus.subscribeFacts("events.job.*.done", async (f) => {
      await sleep(Math.random() * 3);
      done.push(text(f.payload));
    });
    for (let i = 0; i < 20; i++) await bus.publishFact(`events.job.${i}.done`, bytes(`${i}`));
    await bus.publishFact("events.job.1.started", bytes("s"));
    await bus.publishFact("events.job.1.done.late", bytes("l"));
    await until(() => done.length === 20 && all.length === 22, "all facts");
    assert.deepEqual(
      done,
      Array.from({ length: 20 }, (_, i) => `${i}`),
    );
    await subscription.stop();
    await bus.publishFact("events.job.21.done", bytes("21"));
    await until(() => all.length === 23, "the other one still listens");
    assert.equal(done.length, 20);
  });

  contract("a throwing live handler does not end the subscription, an aborted signal does", async (bus) => {
    const seen: string[] = [];
    const control = new AbortController();
    const listen = (f: { payload: Uint8Array }): void => {
      seen.push(text(f.payload));
      if (seen.length === 1) throw new Error("oops");
    };
    await bus.subscribeFacts("events.a.1.x", listen, { signal: control.signal });
    const other: string[] = [];
    await bus.subscribeFacts("events.a.1.x", (f) => void other.push(text(f.payload)));
    await bus.publishFact("events.a.1.x", bytes("1"));
    await bus.publishFact("events.a.1.x", bytes("2"));
    await until(() => seen.length === 2, "both");
    control.abort();
    await sleep(50);
    await bus.publishFact("events.a.1.x", bytes("3"));
    await until(() => other.length === 3, "other");
    assert.deepEqual(seen, ["1", "2"]);
  });

  contract("a durable subscription replays what it missed, retries, and keeps the order", async (bus) => {
    const seen: string[] = [];
    const failed = new Set<string>();
    const handler = (f: { payload: Uint8Array }): void => {
      const what = text(f.payload);
      if (what === "2" && !failed.has(what)) {
        failed.add(what);
        throw new Error("first time");
      }
      seen.push(what);
    };
    await bus.publishFact("events.a.1.x", bytes("before"));
    const first = await bus.subscribeFacts("events.a.>", handler, { durable: "view" });
    await bus.publishFact("events.a.1.x", bytes("1"));
    await until(() => seen.length === 1, "first");
    await first.stop();
    for (const what of ["2", "3"]) await bus.publishFact("events.a.1.x", bytes(what));
    await bus.publishFact("events.b.1.x", bytes("other"));
    await bus.subscribeFacts("events.a.>", handler, { durable: "view" });
    await bus.publishFact("events.a.1.x", bytes("4"));
    await until(() => seen.length === 4, "the rest");
    assert.deepEqual(seen, ["1", "2", "3", "4"]);
  });
}

function refusalContract(contract: Contract): void {
  contract("what cannot be sent is refused with a reason", async (bus) => {
    const publish = (
      subject: string,
      o: { messageId?: string; headers?: Record<string, string>; size?: number } = {},
    ) =>
      bus.publishWork(subject, new Uint8Array(o.size ?? 1), {
        messageId: o.messageId ?? "x",
        headers: o.headers ?? {},
      });
    for (const subject of [
      "jobs.a",
      "events.a.b.c",
      "jobs..x",
      "jobs.a.*",
      "jobs.a.>",
      "jobs.a.b c",
      "jobs.a.b\n",
      "",
    ]) {
      await assert.rejects(publish(subject), { tag: "invalid_subject" }, subject);
    }
    await assert.rejects(bus.publishFact("events.a.b", bytes("")), { tag: "invalid_subject" });
    await assert.rejects(
      bus.subscribeFacts("jobs.>", () => {}),
      { tag: "invalid_subject" },
    );
    await assert.rejects(
      bus.subscribeFacts("events.>.x", () => {}),
      { tag: "invalid_subject" },
    );
    await assert.rejects(publish("jobs.a.b", { messageId: "" }), { tag: "invalid_message" });
    await assert.rejects(publish("jobs.a.b", { headers: { "a:b": "x" } }), { tag: "invalid_message" });
    await assert.rejects(publish("jobs.a.b", { headers: { a: "x\r\ny" } }), { tag: "invalid_message" });
    await assert.rejects(publish("jobs.a.b", { headers: { "Nats-Msg-Id": "x" } }), {
      tag: "invalid_message",
    });
    await assert.rejects(publish("jobs.a.b", { size: 1024 * 1024 }), {
      tag: "payload_too_large",
      httpStatus: 413,
    });
    await assert.rejects(
      bus.consumeWork(fast("a.b"), async () => {}),
      { tag: "invalid_option" },
    );
    await assert.rejects(
      bus.consumeWork(fast("a", { maxInFlight: 0 }), async () => {}),
      { tag: "invalid_option" },
    );
    await assert.rejects(
      bus.consumeWork(fast("a", { ackWaitMs: 10 }), async () => {}),
      { tag: "invalid_option" },
    );
    assert.deepEqual(await bus.pending("a"), { waiting: 0, inFlight: 0 });
  });

  contract("a closed bus says so, and closing again is fine", async (bus) => {
    await bus.ready();
    const { handler } = recorder();
    await bus.consumeWork(fast("a"), handler);
    await bus.subscribeFacts("events.>", () => {});
    await bus.close();
    await bus.close();
    const closed = (error: unknown): boolean => error instanceof EventsError && error.tag === "closed";
    await assert.rejects(bus.ready(), closed);
    await assert.rejects(bus.publishWork("jobs.a.go", bytes("x"), { messageId: "x" }), closed);
    await assert.rejects(bus.publishFact("events.a.b.c", bytes("x")), closed);
    await assert.rejects(bus.consumeWork(fast("a"), handler), closed);
    await assert.rejects(bus.deadLetters(), closed);
  });
}
