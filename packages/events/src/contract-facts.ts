import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { bytes, type Contract, text, until } from "./contract-tools.ts";

export function factContract(contract: Contract): void {
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
