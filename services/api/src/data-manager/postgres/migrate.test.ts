import assert from "node:assert/strict";
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import pg from "pg";
import { migrate, migrationsDir } from "./migrate.ts";
import { createEmptyTestDatabase } from "./testing.ts";

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function copyOfMigrations(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "cytomesh-migrations-"));
  await cp(migrationsDir, dir, { recursive: true });
  t.after(() => rm(dir, { recursive: true }));
  return dir;
}

test("migrations are applied once, also when replicas start together", async () => {
  const url = await createEmptyTestDatabase();
  const applied = await Promise.all([1, 2, 3].map(() => withClient(url, (client) => migrate(client))));
  assert.deepEqual(applied.flat().sort(), (await readdir(migrationsDir)).sort());
  assert.deepEqual(await withClient(url, (client) => migrate(client)), []);
});

test("an edited migration that was applied is an error", async (t) => {
  const url = await createEmptyTestDatabase();
  const dir = await copyOfMigrations(t);
  await withClient(url, (client) => migrate(client, dir));
  const file = join(dir, "0001_jobs.sql");
  await writeFile(file, `${await readFile(file, "utf8")}\n-- edited\n`);
  const again = withClient(url, (client) => migrate(client, dir));
  await assert.rejects(again, {
    tag: "migration",
    message: /0001_jobs\.sql was changed after it had been applied/,
  });
});

test("a failing migration leaves nothing of itself, and an older program refuses a newer database", async (t) => {
  const url = await createEmptyTestDatabase();
  const dir = await copyOfMigrations(t);
  const next = join(dir, "0003_next.sql");
  await writeFile(next, "CREATE TABLE half (a int); SELECT 1 / 0;");
  const failing = withClient(url, (client) => migrate(client, dir));
  await assert.rejects(failing, { tag: "migration", message: /0003_next\.sql failed: division by zero/ });
  await writeFile(next, "CREATE TABLE half (a int);");
  assert.deepEqual(await withClient(url, (client) => migrate(client, dir)), ["0003_next.sql"]);
  await assert.rejects(
    withClient(url, (client) => migrate(client)),
    { tag: "migration", message: /newer version/ },
  );
});

test("numbers have no gaps", async (t) => {
  const url = await createEmptyTestDatabase();
  const dir = await copyOfMigrations(t);
  await writeFile(join(dir, "0007_late.sql"), "SELECT 1;");
  const gap = withClient(url, (client) => migrate(client, dir));
  await assert.rejects(gap, { tag: "migration", message: /expected a migration named 0003_/ });
});
