// Started by the tests of openBus: "stay" opens a bus and waits to be killed, "leave" uses it, stops it and ends.
import { openBus } from "./open-bus.ts";

const [dataDir, what, kind] = process.argv.slice(2);
const logger = { debug() {}, info() {}, warn() {}, error() {} };
const env = kind === "in-process" ? { NATS_SERVER_BIN: "/nowhere/nats-server" } : process.env;
const { bus, description, stop } = await openBus({ dataDir: dataDir!, name: "child", logger, env });
console.log(description);

if (what === "stay") {
  setInterval(() => {}, 1000);
} else {
  let tries = 0;
  await bus.subscribeFacts("events.>", () => {});
  await bus.subscribeFacts("events.>", () => {}, { durable: "d" });
  await bus.consumeWork({ service: "a", maxInFlight: 1, backoffMs: [600_000] }, async () => {
    tries++;
    throw new Error("retried in ten minutes");
  });
  await bus.publishWork("jobs.a.go", new Uint8Array(1), { messageId: "x" });
  await bus.publishFact("events.a.b.c", new Uint8Array(1));
  while (tries === 0 || (await bus.pending("a")).inFlight === 0)
    await new Promise((resolve) => setTimeout(resolve, 5));
  await stop();
  // Whatever still held the event loop would keep "exit" from coming.
  process.once("exit", () => console.log("left no handles: true"));
}
