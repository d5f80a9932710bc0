import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { bytes, type Contract, fast, numbered, publishAll, recorder, until } from "./contract-tools.ts";
import type { WorkMessage } from "./types.ts";

export function consumerContract(contract: Contract): void {
  contract("a repeated id is dropped, acknowledged or not", async (bus) => {
    const { texts, handler } = recorder();
    for (let i = 0; i < 3; i++) await bus.publishWork("jobs.a.go", bytes(`${i}`), { messageId: "same" });
    assert.equal((await bus.pending("a")).waiting, 1);
    await bus.consumeWork(fast("a"), handler);
    await until(() => texts().length === 1, "first");
    await bus.publishWork("jobs.a.go", bytes("again"), { messageId: "same" });
    await bus.publishWork("jobs.a.go", bytes("other"), { messageId: "other" });
    await until(() => texts().length === 2, "other");
    assert.deepEqual(texts(), ["0", "other"]);
  });

  contract(
    "after the duplicate window an id is forgotten",
    async (bus) => {
      const publish = (): Promise<void> => bus.publishWork("jobs.a.go", bytes("x"), { messageId: "same" });
      await publish();
      const stored = async (): Promise<boolean> => {
        await publish();
        return (await bus.pending("a")).waiting === 2;
      };
      await until(stored, "stored a second time");
    },
    200,
  );

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
