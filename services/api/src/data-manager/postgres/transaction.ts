import type { Kysely, Transaction } from "kysely";
import { ApiError } from "../../errors.ts";
import type { Tables } from "./tables.ts";

const TRIES = 5;
const DEADLOCK = "40P01";
const SERIALIZATION = "40001";
// Classes of SQLSTATE that say "not now" rather than "not so": connection, resources, operator intervention.
const AWAY = /^(08|53|57)/;
const AWAY_NODE = new Set([
  ...["ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ETIMEDOUT"],
  ...["ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN"],
]);

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

function isAway(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return AWAY.test(code) || AWAY_NODE.has(code);
  return (
    error instanceof Error &&
    /Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Cannot use a pool after/.test(
      error.message,
    )
  );
}

/** Runs a query and says `unavailable` when the database could not be reached. */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiError || !isAway(error)) throw error;
    throw new ApiError("unavailable", "the control database does not answer; try again shortly", {
      cause: error,
    });
  }
}

/**
 * One READ COMMITTED transaction. Repeated up to five times when the database broke it off because of a deadlock, so `work`
 * must have no effect outside of it.
 */
export async function inTransaction<T>(
  db: Kysely<Tables>,
  work: (tx: Transaction<Tables>) => Promise<T>,
): Promise<T> {
  for (let left = TRIES; ; left--) {
    try {
      return await guarded(() => db.transaction().execute(work));
    } catch (error) {
      const code = codeOf(error);
      if (left <= 1 || (code !== DEADLOCK && code !== SERIALIZATION)) throw error;
    }
  }
}
