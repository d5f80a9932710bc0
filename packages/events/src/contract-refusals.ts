import assert from "node:assert/strict";
import { bytes, type Contract, fast, recorder } from "./contract-tools.ts";
import { EventsError } from "./errors.ts";

export function refusalContract(contract: Contract): void {
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
