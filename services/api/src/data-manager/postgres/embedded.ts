import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import pg from "pg";
import type { Logger } from "../../schemas/runtime.ts";
import { type Account, serverAccount } from "./account.ts";
import { postgresBinaries } from "./binaries.ts";
import { clusterFolder, clusterPassword, clusterUser, ensureCluster } from "./cluster.ts";
import { isAlive, withFileLock } from "./file-lock.ts";
import { findPostmaster, interruptPostmaster, spawnPostmaster, stopPostmaster } from "./postmaster.ts";

// initdb takes seconds, recovery after a crash may take a minute.
const LOCK_WAIT_MS = 120_000;

export interface EmbeddedOptions {
  readonly dataDir: string;
  readonly logger: Logger;
  /** Further server settings, `name=value`. */
  readonly settings?: readonly string[];
  readonly signal?: AbortSignal;
}

/** A Postgres server on a loopback port that belongs to this process. */
export interface EmbeddedPostgres {
  readonly pid: number;
  readonly port: number;
  /** `postgres://` URL of a database of it, password included. */
  url(database: string): string;
  /** Stops the server, unless another living process started it. */
  stop(): Promise<void>;
}

/** A cluster that can be started. */
interface Prepared {
  readonly dataDir: string;
  readonly folder: string;
  readonly bin: string;
  readonly account: Account | undefined;
  readonly password: string;
}

async function locked<T>(dataDir: string, work: () => Promise<T>): Promise<T> {
  await mkdir(dataDir, { recursive: true });
  return await withFileLock(join(dataDir, "postgres.lock"), LOCK_WAIT_MS, work);
}

async function prepare(dataDir: string, logger: Logger): Promise<Prepared> {
  const account = await serverAccount(logger);
  const bin = await postgresBinaries(account, logger);
  const folder = await clusterFolder(dataDir, account, logger);
  const password = await clusterPassword(dataDir);
  await ensureCluster(folder, { bin, account, password });
  return { dataDir, folder, bin, account, password };
}

/** Makes the cluster of a data directory without starting it. Repeat-safe. */
export async function prepareCluster(dataDir: string, logger: Logger): Promise<void> {
  await locked(resolve(dataDir), () => prepare(resolve(dataDir), logger));
}

/**
 * Starts the server of `<dataDir>/postgres`, making the cluster first when there is none. A server that a killed process left
 * behind is taken over; one of a living process is shared, and left running by `stop`. It also stops when this process
 * exits. Throws `database_setup`.
 */
export async function startEmbeddedPostgres(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  return await locked(dataDir, async () => await start(await prepare(dataDir, options.logger), options));
}

async function start(cluster: Prepared, options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { logger, signal, settings = [] } = options;
  const { folder, password } = cluster;
  const urlOf = (port: number, database: string) =>
    `postgres://${clusterUser}:${password}@127.0.0.1:${port}/${database}`;
  const rootUrl = (port: number) => urlOf(port, "postgres");
  const ownerFile = join(dirname(folder), "postgres.owner");
  let server = await findPostmaster(folder, rootUrl);
  const owner = Number(await readFile(ownerFile, "utf8").catch(() => ""));
  const shared = server !== undefined && owner > 0 && owner !== process.pid && isAlive(owner);
  if (server === undefined) {
    const logFile = join(cluster.dataDir, "postgres.log");
    server = await spawnPostmaster({ ...cluster, logFile, settings }, rootUrl, signal);
    logger.info({ ...server, folder }, "started Postgres");
  } else {
    logger.info({ ...server, shared }, "found Postgres running on the data directory");
  }
  const { pid, port } = server;
  const onExit = () => interruptPostmaster(pid, folder);
  if (!shared) {
    await writeFile(ownerFile, `${process.pid}\n`);
    process.once("exit", onExit);
  }
  await ensureDatabase(rootUrl(port));
  return {
    pid,
    port,
    url: (database) => urlOf(port, database),
    async stop() {
      if (shared) return;
      process.removeListener("exit", onExit);
      await stopPostmaster(pid, folder);
    },
  };
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = $1", [clusterUser]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${clusterUser}`);
  } finally {
    await client.end();
  }
}
