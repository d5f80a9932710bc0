import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ClientBase } from "pg";
import { ApiError } from "../../errors.ts";

/** Where the migrations of the control database are. */
export const migrationsDir: string = fileURLToPath(new URL("./migrations", import.meta.url));

// Any constant will do as long as nothing else in the database takes the same advisory lock.
const LOCK = 7_206_871_163_404_129n;

interface Migration {
  readonly number: number;
  readonly file: string;
  readonly sql: string;
  readonly sha256: string;
}

/** Reads `0001_name.sql`, `0002_…`; numbers begin at 1 and have no gaps. Throws `migration`. */
async function readMigrations(dir: string): Promise<Migration[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith(".sql")).sort();
  return await Promise.all(
    files.map(async (file, i) => {
      const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1]);
      if (number !== i + 1) {
        throw new ApiError(
          "migration",
          `expected a migration named ${String(i + 1).padStart(4, "0")}_<what>.sql, found ${file}`,
        );
      }
      const sql = await readFile(join(dir, file), "utf8");
      return { number, file, sql, sha256: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

function checkApplied(
  migrations: readonly Migration[],
  applied: { number: number; file: string; sha256: string }[],
) {
  for (const row of applied) {
    const migration = migrations[row.number - 1];
    if (migration === undefined) {
      throw new ApiError(
        "migration",
        `the database has migration ${row.file}, which this version does not know; it was used by a newer version: start that one`,
      );
    }
    if (migration.sha256 !== row.sha256) {
      throw new ApiError(
        "migration",
        `${migration.file} was changed after it had been applied (sha256 ${row.sha256} then, ${migration.sha256} now); ` +
          "restore the file and put the change into a new migration",
      );
    }
  }
}

/**
 * Brings the database to the newest migration, each in a transaction of its own, under an advisory lock, so that several
 * replicas may start at once. Returns the files it applied. Throws `migration` when an applied file was edited, the
 * database is newer than the code, or a migration fails.
 */
export async function migrate(client: ClientBase, dir: string = migrationsDir): Promise<string[]> {
  const migrations = await readMigrations(dir);
  await client.query("SELECT pg_advisory_lock($1)", [LOCK.toString()]);
  try {
    await client.query(
      "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, file text NOT NULL, sha256 text NOT NULL, " +
        "applied_at timestamptz NOT NULL DEFAULT now())",
    );
    const { rows } = await client.query("SELECT number, file, sha256 FROM migrations ORDER BY number");
    checkApplied(migrations, rows);
    const pending = migrations.slice(rows.length);
    for (const migration of pending) await apply(client, migration);
    return pending.map((migration) => migration.file);
  } finally {
    await client.query("SELECT pg_advisory_unlock($1)", [LOCK.toString()]);
  }
}

async function apply(client: ClientBase, migration: Migration): Promise<void> {
  await client.query("BEGIN");
  try {
    await client.query(migration.sql);
    await client.query("INSERT INTO migrations (number, file, sha256) VALUES ($1, $2, $3)", [
      migration.number,
      migration.file,
      migration.sha256,
    ]);
    await client.query("COMMIT");
  } catch (cause) {
    await client.query("ROLLBACK").catch(() => {});
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ApiError("migration", `${migration.file} failed: ${message}`, { cause });
  }
}
