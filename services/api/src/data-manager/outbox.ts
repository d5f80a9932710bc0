import { type Kysely, sql, type Transaction } from "kysely";
import type { Tables } from "./postgres/tables.ts";
import { guarded } from "./postgres/transaction.ts";

const OUTBOX_CHANNEL = "cytomesh_outbox";

/** A row that is to be published. */
export interface OutboxEntry {
  readonly id: bigint;
  readonly topic: "work" | "fact";
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly jobId: string | undefined;
  readonly attempt: number | undefined;
  readonly failures: number;
}

export interface DueBatch {
  /** Rows found due. */
  readonly taken: number;
  readonly published: number;
  /** The first failure; its row and those after it stay. */
  readonly error: unknown;
}

export interface Outbox {
  /**
   * Publishes up to `limit` rows that are due, oldest first, and deletes those that `publish` resolved for. The rows are
   * locked meanwhile, so replicas share the work. A crash between publishing and deleting publishes again. A row that
   * failed is due again after `backoffMs(failures)`.
   */
  publishDue(
    now: Date,
    limit: number,
    publish: (entry: OutboxEntry) => Promise<void>,
    backoffMs: (failures: number) => number,
  ): Promise<DueBatch>;
  /** When the next row is due; undefined when there is none. */
  nextDueAt(): Promise<Date | undefined>;
}

/** Queues a fact in the transaction that makes it true. */
export async function addFact(
  tx: Transaction<Tables>,
  subject: string,
  payload: Uint8Array,
  now: Date,
): Promise<void> {
  await tx
    .insertInto("outbox")
    .values({ topic: "fact", subject, payload, due_at: now, job_id: null, attempt: null })
    .execute();
  await sql`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`.execute(tx);
}

/** Queues the message that asks for an attempt of a job. */
export async function addWork(
  tx: Transaction<Tables>,
  work: { subject: string; payload: Uint8Array; jobId: string; attempt: number; dueAt: Date },
): Promise<void> {
  const { subject, payload, jobId, attempt, dueAt } = work;
  await tx
    .insertInto("outbox")
    .values({ topic: "work", subject, payload, job_id: jobId, attempt, due_at: dueAt })
    .execute();
  await sql`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`.execute(tx);
}

export function createOutbox(db: Kysely<Tables>): Outbox {
  return {
    publishDue: (now, limit, publish, backoffMs) =>
      guarded(() => db.transaction().execute((tx) => publishDue(tx, now, limit, publish, backoffMs))),
    nextDueAt: () =>
      guarded(async () => {
        const row = await db
          .selectFrom("outbox")
          .select("due_at")
          .orderBy("due_at")
          .orderBy("id")
          .limit(1)
          .executeTakeFirst();
        return row?.due_at;
      }),
  };
}

async function publishDue(
  tx: Transaction<Tables>,
  now: Date,
  limit: number,
  publish: (entry: OutboxEntry) => Promise<void>,
  backoffMs: (failures: number) => number,
): Promise<DueBatch> {
  const rows = await tx
    .selectFrom("outbox")
    .selectAll()
    .where("due_at", "<=", now)
    .orderBy("due_at")
    .orderBy("id")
    .limit(limit)
    .forUpdate()
    .skipLocked()
    .execute();
  const published: bigint[] = [];
  let error: unknown;
  for (const row of rows) {
    try {
      await publish({
        id: row.id,
        topic: row.topic,
        subject: row.subject,
        payload: row.payload,
        jobId: row.job_id ?? undefined,
        attempt: row.attempt ?? undefined,
        failures: row.failures,
      });
      published.push(row.id);
    } catch (cause) {
      error = cause;
      const failures = row.failures + 1;
      const due_at = new Date(now.getTime() + backoffMs(failures));
      await tx.updateTable("outbox").set({ failures, due_at }).where("id", "=", row.id).execute();
      break;
    }
  }
  if (published.length > 0) await tx.deleteFrom("outbox").where("id", "in", published).execute();
  return { taken: rows.length, published: published.length, error };
}
