import { Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import { ApiError } from "../../errors.ts";
import type { Clock, Logger } from "../../schemas/runtime.ts";
import { openDatabaseClock } from "./database-clock.ts";
import { startEmbeddedPostgres } from "./embedded.ts";
import { migrate } from "./migrate.ts";
import { type Notifications, openNotifications } from "./notifications.ts";
import type { Tables } from "./tables.ts";
import { guarded } from "./transaction.ts";

const INT8 = 20;
const POOL_SIZE = 10;
const CONNECT_TIMEOUT_MS = 10_000;
// Longer than any statement of the control plane needs; what runs longer is stuck behind a lock that nobody gives back.
const STATEMENT_TIMEOUT_MS = 30_000;
// The system's default is two hours: so long a server that vanished would be taken for a quiet one.
const KEEP_ALIVE_MS = 10_000;

export interface OpenDatabaseOptions {
  /** `postgres://…` of a running server. Unset: start the embedded one under `dataDir`. */
  readonly url?: string | undefined;
  /** Where the embedded server keeps its files: `<dataDir>/postgres` and files beside it. */
  readonly dataDir: string;
  readonly logger: Logger;
  /** Aborts the start. */
  readonly signal?: AbortSignal;
}

/** The control database, migrated and ready. */
export interface Database {
  readonly kysely: Kysely<Tables>;
  readonly notifications: Notifications;
  /** The server's time: the same for every replica. */
  readonly clock: Clock;
  /** Whether the server was started by this process, or taken over from one that died. */
  readonly embedded: boolean;
  /** Resolves when a query is answered right now. Throws `unavailable`. */
  ready(): Promise<void>;
  /** Closes all connections; stops the embedded server. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `bigint` for int8; everything else as pg does it. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: "text" | "binary") =>
    oid === INT8 && format !== "binary"
      ? (text: string) => BigInt(text)
      : pg.types.getTypeParser(oid, format as "text")) as typeof pg.types.getTypeParser,
};

/**
 * Connects to Postgres, or starts the embedded one, and applies pending migrations.
 * Throws `unavailable` (cannot connect), `database_setup` (the embedded server does not start), `migration`.
 */
export async function openDatabase(options: OpenDatabaseOptions): Promise<Database> {
  if (options.url !== undefined && options.url !== "")
    return await connectDatabase(options.url, options.logger);
  const { dataDir, logger, signal } = options;
  const server = await startEmbeddedPostgres({ dataDir, logger, ...(signal ? { signal } : {}) });
  try {
    return await connectDatabase(server.url("cytomesh"), logger, () => server.stop());
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** The database at `url`, migrated. `stopServer` is called last when it closes. */
export async function connectDatabase(
  url: string,
  logger: Logger,
  stopServer?: () => Promise<void>,
): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    application_name: "cytomesh-api",
    types,
  });
  pool.on("error", (error) => logger.warn({ err: error }, "an idle database connection broke"));
  // The pool listens to idle connections only. One that breaks inside a transaction says so between two queries, too, and an error
  // event that nobody listens to ends the process; the next query on it fails and is told apart there.
  pool.on("connect", (client) => client.on("error", () => {}));
  const serverNow = async () =>
    (await pool.query<{ now: Date }>("SELECT clock_timestamp() AS now")).rows[0]?.now as Date;
  const prepared = async () => {
    await migrateWith(pool, logger);
    return await openDatabaseClock(serverNow);
  };
  const clock = await prepared().catch(async (error) => {
    await pool.end();
    throw error;
  });
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  const notifications = openNotifications(url, logger);
  let closing: Promise<void> | undefined;
  const close = () => {
    clock.stop();
    closing ??= notifications
      .close()
      .then(() => kysely.destroy())
      // Kysely ends only a pool that it has used.
      .then(() => (pool.ended ? undefined : pool.end()))
      .then(() => stopServer?.());
    return closing;
  };
  await notifications.ready();
  return {
    kysely,
    notifications,
    clock: clock.now,
    embedded: stopServer !== undefined,
    ready: () => guarded(async () => void (await pool.query("SELECT 1"))),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function migrateWith(pool: pg.Pool, logger: Logger): Promise<void> {
  const client = await pool.connect().catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ApiError(
      "unavailable",
      `cannot connect to the control database: ${reason}; check DATABASE_URL`,
      { cause },
    );
  });
  try {
    // Waiting for another replica's migrations may take longer than a statement should.
    await client.query("SET statement_timeout = 0");
    const applied = await migrate(client);
    await client.query(`SET statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    if (applied.length > 0) logger.info({ applied }, "migrated the control database");
  } finally {
    client.release();
  }
}
