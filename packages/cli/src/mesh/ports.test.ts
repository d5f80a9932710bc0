import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { freePorts, isFree } from "./ports.ts";

test("free ports differ, are free, and are not of those given to outgoing connections", async () => {
  const ports = await freePorts(40);
  assert.equal(new Set(ports).size, 40);
  for (const port of ports) {
    assert.equal(await isFree(port), true);
    assert.ok(port < 32_768, `${port}`);
  }
});

test("a port that somebody listens on is not free", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  assert.equal(await isFree((server.address() as { port: number }).port), false);
  await new Promise((resolve) => server.close(resolve));
});
