import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { silentLogger } from "../../schemas/runtime.ts";
import { openDatabase } from "./database.ts";
import { startEmbeddedPostgres } from "./embedded.ts";
import { isAlive } from "./file-lock.ts";

async function dataFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "cytomesh-embedded-"));
  t.after(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

const start = (dataDir: string) => startEmbeddedPostgres({ dataDir, logger: silentLogger });

async function query(url: string, statement: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(statement)).rows;
  } finally {
    await client.end();
  }
}

/** A program that starts the server, says so, and hangs; killed by the test. */
const PROGRAM = `
const { startEmbeddedPostgres } = await import(process.argv[1]);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const server = await startEmbeddedPostgres({ dataDir: process.argv[2], logger: log });
console.log(server.pid);
setInterval(() => {}, 1000);
`;

async function startInChild(dataDir: string) {
  const module = new URL("./embedded.ts", import.meta.url).href;
  const child = spawn(process.execPath, ["--input-type=module", "-e", PROGRAM, module, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  return { child, pid: Number(line) };
}

test("data outlives restarts, a killed parent's server is taken over, and the last one stops it", async (t) => {
  const dir = await dataFolder(t);
  const first = await start(dir);
  await query(first.url("cytomesh"), "CREATE TABLE kept AS SELECT 42 AS answer");
  await first.stop();
  assert.equal(isAlive(first.pid), false);
  const password = await stat(join(dir, "postgres-password"));
  assert.equal(password.mode & 0o777, 0o600);

  const { child, pid } = await startInChild(dir);
  const shared = await start(dir);
  assert.equal(shared.pid, pid, "one server per data directory");
  await shared.stop();
  assert.equal(isAlive(pid), true, "its parent lives and needs it");
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(isAlive(pid), true);
  const adopted = await start(dir);
  assert.equal(adopted.pid, pid);
  assert.deepEqual(await query(adopted.url("cytomesh"), "SELECT answer FROM kept"), [{ answer: 42 }]);

  // The whole machine goes down: nobody removes postmaster.pid.
  process.kill(pid, "SIGKILL");
  const recovered = await start(dir);
  assert.deepEqual(await query(recovered.url("cytomesh"), "SELECT answer FROM kept"), [{ answer: 42 }]);
  await recovered.stop();
  // The number in it belongs to another process by now.
  const pidFile = join(dir, "postgres", "postmaster.pid");
  await writeFile(pidFile, `${process.pid}\n${join(dir, "postgres")}\n0\n5432\n`);
  const last = await start(dir);
  assert.notEqual(last.pid, process.pid);
  await last.stop();
});

test("the server stops when the process that started it exits", async (t) => {
  const dir = await dataFolder(t);
  const module = new URL("./embedded.ts", import.meta.url).href;
  const program = PROGRAM.replace("setInterval(() => {}, 1000);", "process.exit(0);");
  const child = spawn(process.execPath, ["--input-type=module", "-e", program, module, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(child.stdout, "data");
  while (isAlive(Number(line))) await new Promise((resolve) => setTimeout(resolve, 20));
});

test("a cluster of another version and a server that cannot start are explained", async (t) => {
  const dir = await dataFolder(t);
  await (await start(dir)).stop();
  const versionFile = join(dir, "postgres", "PG_VERSION");
  const version = await readFile(versionFile, "utf8");
  await writeFile(versionFile, "9\n");
  await assert.rejects(start(dir), {
    tag: "database_setup",
    message: /made by Postgres 9, this is Postgres 18/,
  });
  await writeFile(versionFile, version);
  await writeFile(join(dir, "postgres", "postgresql.conf"), "no_such_setting = 1\n");
  await assert.rejects(start(dir), { tag: "database_setup", message: /no_such_setting/ });
});

test("a server that does not answer is unavailable", async () => {
  const url = "postgres://nobody:secret@127.0.0.1:1/none";
  await assert.rejects(
    openDatabase({ url, dataDir: tmpdir(), logger: silentLogger }),
    (error: Error & { tag: string }) => {
      assert.equal(error.tag, "unavailable");
      assert.ok(!error.message.includes("secret"));
      return true;
    },
  );
});
