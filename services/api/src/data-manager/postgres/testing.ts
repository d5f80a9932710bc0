import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { silentLogger } from "../../schemas/runtime.ts";
import { postgresVersion } from "./binaries.ts";
import { connectDatabase, type Database } from "./database.ts";
import { type EmbeddedPostgres, prepareCluster, startEmbeddedPostgres } from "./embedded.ts";
import { isAlive } from "./file-lock.ts";
import { migrate } from "./migrate.ts";
import { killPostmaster, stopPostmaster } from "./postmaster.ts";

const run = promisify(execFile);
const PREFIX = "cytomesh-test-pg-";
const TEMPLATE = "migrated";

// Nothing here survives the test, so nothing has to reach the disk.
const FAST = [
  "fsync=off",
  "synchronous_commit=off",
  "full_page_writes=off",
  "shared_buffers=16MB",
  "max_connections=80",
  "autovacuum=off",
];

/** A migrated, empty database of its own, on a server that all tests of this process share. */
export interface TestDatabase {
  readonly database: Database;
  /** For further connections. */
  readonly url: string;
  /** Closes its connections. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

let server: Promise<EmbeddedPostgres> | undefined;

/** Starts the server on first use; it stops, and its files go, when the process exits. */
export async function createTestDatabase(): Promise<TestDatabase> {
  server ??= startServer();
  const { url: urlOf } = await server;
  const name = `t_${randomBytes(6).toString("hex")}`;
  await asRoot(urlOf("postgres"), `CREATE DATABASE ${name} TEMPLATE ${TEMPLATE}`);
  const url = urlOf(name);
  const database = await connectDatabase(url, silentLogger);
  // Not dropped: that costs a checkpoint, and the server's files go as a whole.
  const close = () => database.close();
  return { database, url, close, [Symbol.asyncDispose]: close };
}

/** An empty database without migrations; for tests of what makes it non-empty. Dropped with the server. */
export async function createEmptyTestDatabase(): Promise<string> {
  server ??= startServer();
  const { url } = await server;
  const name = `e_${randomBytes(6).toString("hex")}`;
  await asRoot(url("postgres"), `CREATE DATABASE ${name}`);
  return url(name);
}

async function asRoot(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/** initdb costs seconds of processor time on a busy machine, a copy of its result a fraction of one. */
async function startServer(): Promise<EmbeddedPostgres> {
  await sweep();
  const cache = join(tmpdir(), `cytomesh-initdb-${await postgresVersion()}-${process.getuid?.() ?? 0}`);
  await prepareCluster(cache, silentLogger);
  const dataDir = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  for (const part of ["postgres", "postgres-password"]) await run("cp", ["-a", join(cache, part), dataDir]);
  const started = await startEmbeddedPostgres({ dataDir, logger: silentLogger, settings: FAST });
  process.once("exit", () => {
    killPostmaster(started.pid, join(dataDir, "postgres"));
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  });
  await asRoot(started.url("postgres"), `CREATE DATABASE ${TEMPLATE}`);
  const client = new pg.Client({ connectionString: started.url(TEMPLATE) });
  await client.connect();
  await migrate(client);
  await client.end();
  return started;
}

/** Removes what killed test processes left behind. */
async function sweep(): Promise<void> {
  for (const entry of await readdir(tmpdir())) {
    const owner = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(entry)?.[1]);
    if (!owner || isAlive(owner)) continue;
    const folder = join(tmpdir(), entry, "postgres");
    const pid = Number.parseInt(await readFile(join(folder, "postmaster.pid"), "utf8").catch(() => ""), 10);
    if (pid > 0) await stopPostmaster(pid, folder).catch(() => {});
    await rm(join(tmpdir(), entry), { recursive: true, force: true }).catch(() => {});
  }
}
