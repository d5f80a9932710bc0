import assert from "node:assert/strict";
import { test } from "node:test";
import { sql } from "kysely";
import pg from "pg";
import { openDatabaseClock } from "./database-clock.ts";
import { createTestDatabase } from "./testing.ts";
import { inTransaction } from "./transaction.ts";

/** Breaks off every connection of the pool, as a restart of the server does. */
async function breakPool(url: string): Promise<void> {
  const root = new pg.Client({ connectionString: url });
  await root.connect();
  await root.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cytomesh-api' AND datname = current_database()",
  );
  await root.end();
}

test("a connection that breaks in the middle of a transaction is unavailable, and the next one works", async (t) => {
  const { database, url, close } = await createTestDatabase();
  t.after(close);
  await assert.rejects(
    inTransaction(database.kysely, async (tx) => {
      await sql`SELECT 1`.execute(tx);
      // Nothing is asked of it while it breaks: the dispatcher waits for the event bus like this.
      await breakPool(url);
      await new Promise((resolve) => setTimeout(resolve, 50));
      await sql`SELECT 1`.execute(tx);
    }),
    { tag: "unavailable" },
  );
  await database.ready();
  assert.equal(await inTransaction(database.kysely, async () => "works"), "works");
});

test("replicas whose machines disagree about the time agree through the database", async (t) => {
  const { database, close } = await createTestDatabase();
  t.after(close);
  const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(database.kysely);
  const apart = Math.abs(database.clock().getTime() - rows[0]!.now.getTime());
  assert.ok(apart < 2_000, `${apart} ms apart`);
});

test("the database's clock runs between looks, and follows the server at the next one", async (t) => {
  let server = Date.parse("2030-01-01T00:00:00Z");
  let monotonic = 1_000;
  const clock = await openDatabaseClock(
    async () => {
      monotonic += 20;
      return new Date(server);
    },
    () => monotonic,
  );
  t.after(() => clock.stop());
  assert.equal(clock.now().toISOString(), "2030-01-01T00:00:00.010Z");
  monotonic += 5_000;
  assert.equal(clock.now().toISOString(), "2030-01-01T00:00:05.010Z");
  server += 60_000;
  await clock.sync();
  assert.equal(clock.now().toISOString(), "2030-01-01T00:01:00.010Z");
});
