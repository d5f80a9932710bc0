import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bytes, recorder, text, until } from "./contract-tools.ts";
import { findNatsServer, openBus, startNatsServer } from "./index.ts";
import { isSupported } from "./nats-version.ts";
import type { EventLogger } from "./types.ts";

const dir = await mkdtemp(join(tmpdir(), "open-bus-"));
after(() => rm(dir, { recursive: true, force: true }));

const warnings: string[] = [];
const logger: EventLogger = {
  debug() {},
  info() {},
  error() {},
  warn: (_fields, message) => warnings.push(message),
};

const found = await findNatsServer();
const missing = "needs nats-server 2.10 or newer (scripts/ci/fetch-nats-server.sh)";
const natsTest = (title: string, body: (bin: string) => Promise<void>): void => {
  const skip = found || process.env.CI_REQUIRE_NATS ? false : missing;
  void test(title, { skip }, () => (found ? body(found.path) : assert.fail(missing)));
};

const fixture = fileURLToPath(new URL("./open-bus.fixture.ts", import.meta.url));
const child = (...args: string[]) =>
  spawn(process.execPath, ["--no-warnings", fixture, ...args], { stdio: ["ignore", "pipe", "inherit"] });

test("versions below 2.10 are not supported", () => {
  for (const ok of ["2.10.0", "2.10.27", "2.15.1", "3.0.0-dev", "nats-server: v2.12.1"])
    assert.ok(isSupported(ok), ok);
  for (const old of ["2.9.25", "2.2.0", "1.10.0", "", "unknown"]) assert.ok(!isSupported(old), old);
});

test("an old server, a missing one and one that is no server are passed over with a reason", async () => {
  const fake = join(dir, "nats-server");
  const reasons: string[] = [];
  const find = (): Promise<unknown> =>
    findNatsServer({ env: { NATS_SERVER_BIN: fake }, onReason: (reason) => reasons.push(reason) });
  assert.equal(await find(), undefined);
  await writeFile(fake, "#!/bin/sh\necho 'nats-server: v2.9.10'\n");
  await chmod(fake, 0o755);
  assert.equal(await find(), undefined);
  await writeFile(fake, "#!/bin/sh\nexit 3\n");
  assert.equal(await find(), undefined);
  assert.match(reasons[0]!, /cannot be executed/);
  assert.match(reasons[1]!, /is 2\.9\.10, need 2\.10\.0 or newer/);
  assert.match(reasons[2]!, /of unknown version/);
});

test("without a server the bus is in-process, and says what that means", async () => {
  const opened = await openBus({
    dataDir: dir,
    name: "t",
    logger,
    env: { NATS_SERVER_BIN: join(dir, "none") },
  });
  assert.equal(opened.bus.kind, "in-process");
  assert.match(warnings.at(-1)!, /in-process.*jobs are, in the database.*install nats-server/);
  await opened.stop();
  await assert.rejects(opened.bus.ready(), { tag: "closed" });
});

natsTest("a server that was found is started and joined, and its store outlives it", async () => {
  const options = { dataDir: join(dir, "data"), name: "t", logger };
  const first = await openBus(options);
  const second = await openBus(options);
  assert.match(first.description, /started here/);
  assert.match(second.description, /already running/);
  await first.bus.publishWork("jobs.a.go", bytes("kept"), { messageId: "x" });
  assert.equal((await second.bus.pending("a")).waiting, 1);
  await second.stop();
  await first.bus.ready();
  await first.stop();
  const third = await openBus(options);
  const { seen, handler } = recorder();
  await third.bus.consumeWork({ service: "a", maxInFlight: 1 }, handler);
  await until(() => seen.length === 1, "still there");
  assert.equal(text(seen[0]!.payload), "kept");
  await third.stop();
  const left = await readdir(join(dir, "data", "nats"));
  assert.deepEqual(left.sort(), ["jetstream", "nats-server.conf", "nats-server.log"]);
});

natsTest("a server whose owner was killed is joined, and ended by who joined it", async () => {
  const dataDir = join(dir, "orphan");
  const owner = child(dataDir, "stay");
  let serverUrl = "";
  for await (const chunk of owner.stdout) {
    serverUrl ||= /nats:\/\/\S+/.exec(String(chunk))?.[0] ?? "";
    owner.kill("SIGKILL");
  }
  const opened = await openBus({ dataDir, name: "t", logger });
  assert.match(opened.description, /already running/);
  assert.ok(opened.description.includes(serverUrl));
  await opened.stop();
  const later = await openBus({ dataDir, name: "t", logger });
  assert.match(later.description, /started here/);
  await later.stop();
});

natsTest("a URL is used as given, and its password does not show", async (bin) => {
  const server = await startNatsServer({ bin, dir: join(dir, "url") });
  const natsUrl = server.url.replace("nats://", "nats://someone:hunter2@");
  const opened = await openBus({ natsUrl, dataDir: dir, name: "t", logger });
  assert.equal(opened.bus.kind, "jetstream");
  assert.doesNotMatch(opened.description, /hunter2/);
  await opened.stop();
  await server.stop();
});

natsTest("a server that cannot start is an error with the end of its log", async (bin) => {
  const server = await startNatsServer({ bin, dir: join(dir, "first") });
  const port = Number(new URL(server.url).port);
  await assert.rejects(
    startNatsServer({ bin, dir: join(dir, "second"), port }),
    (error: Error & { tag: string }) => {
      assert.equal(error.tag, "server_start");
      assert.match(error.message, /address already in use/);
      return true;
    },
  );
  await server.stop();
  await assert.rejects(startNatsServer({ bin: join(dir, "none"), dir: join(dir, "third") }), {
    tag: "server_start",
  });
});

for (const kind of ["in-process", "jetstream"]) {
  const body = async (): Promise<void> => {
    const program = child(join(dir, `handles-${kind}`), "leave", kind);
    let output = "";
    for await (const chunk of program.stdout) output += chunk;
    assert.match(output, /left no handles: true/);
  };
  const title = `a process whose ${kind} bus was stopped ends by itself`;
  if (kind === "jetstream") natsTest(title, body);
  else test(title, body);
}
