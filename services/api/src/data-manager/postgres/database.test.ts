import assert from "node:assert/strict";
import { test } from "node:test";
import { sql } from "kysely";
import pg from "pg";
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
