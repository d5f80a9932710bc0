// Started by the crash tests: takes one message, says so, and never finishes it.
import { connectJetStream } from "./jetstream-bus.ts";

const [servers, streamPrefix] = process.argv.slice(2);
const bus = await connectJetStream({
  servers: servers!,
  streamPrefix: streamPrefix!,
  name: "crashing",
});
await bus.consumeWork({ service: "crash", maxInFlight: 1, ackWaitMs: 1000 }, async () => {
  console.log("handling");
  await new Promise(() => {});
});
