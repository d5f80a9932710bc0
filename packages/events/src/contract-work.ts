import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { bytes, type Contract, fast, numbered, publishAll, recorder, text, until } from "./contract-tools.ts";
import { Reject, RetryLater } from "./outcomes.ts";

export function workContract(contract: Contract): void {
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
      const { seen, handler } = recorder(() => sleep(1800));
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

export function deadLetterContract(contract: Contract): void {
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
