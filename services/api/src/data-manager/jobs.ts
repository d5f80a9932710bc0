import { create, toBinary } from "@bufbuild/protobuf";
import { JobChangedSchema, JobDispatchedSchema } from "@cytomesh/contracts/events/v1/events";
import { type Kysely, type Selectable, sql, type Transaction } from "kysely";
import { jobStateNumber } from "../schemas/job-states.ts";
import type { JobRecord } from "../schemas/jobs.ts";
import type { Clock } from "../schemas/runtime.ts";
import { errorColumns, patchColumns, specColumn, toItemRecord, toJobRecord } from "./job-rows.ts";
import type { JobStore, JobTransaction } from "./job-store.ts";
import { addFact, addWork } from "./outbox.ts";
import type { JobsTable, Tables } from "./postgres/tables.ts";
import { guarded, inTransaction } from "./postgres/transaction.ts";
import { isUuid } from "./text.ts";

const ITEMS_PER_STATEMENT = 1_000;
const JOBS_CHANNEL = "cytomesh_jobs";
const nextRevision = sql<bigint>`nextval('job_revision')`;

/** Jobs in Postgres. `clock` gives the times of facts and items. */
export function createJobStore(db: Kysely<Tables>, clock: Clock): JobStore {
  return {
    transaction: (work) => inTransaction(db, (tx) => work(jobTransaction(tx, clock))),
    async get(id) {
      if (!isUuid(id)) return undefined;
      const row = await guarded(() =>
        db.selectFrom("jobs").selectAll().where("id", "=", id).executeTakeFirst(),
      );
      return row && toJobRecord(row);
    },
    async list({ limit, before, states, kinds }) {
      let query = db.selectFrom("jobs").selectAll().orderBy("created_at", "desc").orderBy("id", "desc");
      if (before)
        query = query.where(sql<boolean>`(created_at, id) < (${before.createdAt}, ${before.id}::uuid)`);
      if (states.length > 0) query = query.where("state", "in", states);
      if (kinds.length > 0) query = query.where("kind", "in", kinds);
      return (await guarded(() => query.limit(limit).execute())).map(toJobRecord);
    },
    async listItems(jobId, { limit, afterKey, states }) {
      let query = db.selectFrom("job_items").selectAll().where("job_id", "=", jobId).orderBy("key");
      if (afterKey !== undefined) query = query.where("key", ">", afterKey);
      if (states.length > 0) query = query.where("state", "in", states);
      return (await guarded(() => query.limit(limit).execute())).map(toItemRecord);
    },
    async expiredLeases(now, limit) {
      const query = db
        .selectFrom("jobs")
        .select("id")
        .where("state", "=", "running")
        .where("lease_expires_at", "<=", now)
        .orderBy("lease_expires_at")
        .limit(limit);
      return (await guarded(() => query.execute())).map((row) => row.id);
    },
    async lostDispatches({ now, lostAfterMs }, limit) {
      const { rows } = await guarded(() =>
        sql<{ id: string }>`
          SELECT id FROM jobs
          WHERE state IN ('queued', 'retrying')
            AND coalesce(next_attempt_at, ${now}) <= ${now}
            AND dispatched_at <= ${now}::timestamptz
              - ${lostAfterMs}::float8 * power(2, least(greatest(dispatch_count - 1, 0), 5)) * interval '1 ms'
            AND NOT EXISTS (SELECT FROM outbox WHERE outbox.job_id = jobs.id AND topic = 'work')
          ORDER BY dispatched_at LIMIT ${limit}`.execute(db),
      );
      return rows.map((row) => row.id);
    },
    async settledWaiting(limit) {
      const { rows } = await guarded(() =>
        sql<{ id: string }>`
          SELECT id FROM jobs AS child
          WHERE state = 'waiting' AND (
            NOT EXISTS (SELECT FROM job_edges JOIN jobs AS parent ON parent.id = parent_id
                        WHERE child_id = child.id AND parent.state <> 'succeeded')
            OR EXISTS (SELECT FROM job_edges JOIN jobs AS parent ON parent.id = parent_id
                       WHERE child_id = child.id AND parent.state IN ('failed', 'cancelled')))
          ORDER BY id LIMIT ${limit}`.execute(db),
      );
      return rows.map((row) => row.id);
    },
  };
}

/** Wakes watchers and, when the state is new to the world, queues the fact. */
async function announce(tx: Transaction<Tables>, job: JobRecord, stateChanged: boolean, now: Date) {
  await sql`SELECT pg_notify(${JOBS_CHANNEL}, ${job.id})`.execute(tx);
  if (!stateChanged) return;
  const state = jobStateNumber(job.state);
  const fact = create(JobChangedSchema, { jobId: job.id, kind: job.kind, state, revision: job.revision });
  await addFact(tx, `events.job.${job.id}.${job.state}`, toBinary(JobChangedSchema, fact), now);
}

function jobTransaction(tx: Transaction<Tables>, clock: Clock): JobTransaction {
  return {
    ...jobReads(tx),
    async insert(job) {
      const row = await tx
        .insertInto("jobs")
        .values({
          id: job.id,
          kind: job.kind,
          service: job.service,
          state: job.state,
          spec: specColumn(job.spec),
          max_attempts: job.maxAttempts,
          idempotency_key: job.idempotencyKey ?? null,
          after_ids: [...job.after],
          created_at: job.createdAt,
        })
        .onConflict((conflict) => conflict.column("idempotency_key").doNothing())
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const edges = job.after.map((parent_id) => ({ child_id: job.id, parent_id }));
      if (edges.length > 0) await tx.insertInto("job_edges").values(edges).execute();
      const record = toJobRecord(row);
      await announce(tx, record, true, clock());
      return record;
    },
    async update(job, patch) {
      const row = await tx
        .updateTable("jobs")
        .set({
          ...patchColumns(patch),
          ...(patch.state === "running" ? { dispatch_count: 0 } : {}),
          revision: nextRevision,
        })
        .where("id", "=", job.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      const record = toJobRecord(row);
      await announce(tx, record, record.state !== job.state, clock());
      return record;
    },
    async extendLease(id, leaseExpiresAt) {
      await tx.updateTable("jobs").set({ lease_expires_at: leaseExpiresAt }).where("id", "=", id).execute();
    },
    async dispatch(job, dueAt) {
      const attempt = job.attempt + 1;
      const message = create(JobDispatchedSchema, { jobId: job.id, attempt });
      const payload = toBinary(JobDispatchedSchema, message);
      await addWork(tx, {
        subject: `jobs.${job.service}.${job.kind}`,
        payload,
        jobId: job.id,
        attempt,
        dueAt,
      });
      await tx
        .updateTable("jobs")
        .set({ dispatched_at: dueAt, dispatch_count: sql<number>`dispatch_count + 1` })
        .where("id", "=", job.id)
        .execute();
    },
    async putItems(jobId, items) {
      for (let i = 0; i < items.length; i += ITEMS_PER_STATEMENT) {
        const rows = items.slice(i, i + ITEMS_PER_STATEMENT).map((item) => ({
          job_id: jobId,
          key: item.key,
          state: item.state,
          ...errorColumns(item.error),
          checkpoint: item.checkpoint,
          updated_at: item.updatedAt,
        }));
        await tx
          .insertInto("job_items")
          .values(rows)
          .onConflict((conflict) =>
            conflict.columns(["job_id", "key"]).doUpdateSet((eb) => ({
              state: eb.ref("excluded.state"),
              error_reason: eb.ref("excluded.error_reason"),
              error_message: eb.ref("excluded.error_message"),
              error_retryable: eb.ref("excluded.error_retryable"),
              checkpoint: eb.ref("excluded.checkpoint"),
              updated_at: eb.ref("excluded.updated_at"),
            })),
          )
          .execute();
      }
    },
  };
}

function jobReads(tx: Transaction<Tables>) {
  return {
    async lock(id: string) {
      if (!isUuid(id)) return undefined;
      const row = await tx
        .selectFrom("jobs")
        .selectAll()
        .where("id", "=", id)
        .forNoKeyUpdate()
        .executeTakeFirst();
      return row && toJobRecord(row);
    },
    async lockGraph(id: string) {
      if (!isUuid(id)) return undefined;
      const { rows } = await sql<Selectable<JobsTable>>`
        SELECT * FROM jobs WHERE id IN (
          WITH RECURSIVE graph (id) AS (
            SELECT ${id}::uuid
            UNION
            SELECT child_id FROM job_edges JOIN graph ON parent_id = graph.id
              JOIN jobs AS child ON child.id = child_id AND child.state = 'waiting'
          ) SELECT id FROM graph
        ) ORDER BY id FOR NO KEY UPDATE`.execute(tx);
      const row = rows.find((found) => found.id === id);
      return row && toJobRecord(row);
    },
    async findByKey(idempotencyKey: string) {
      const query = tx.selectFrom("jobs").selectAll().where("idempotency_key", "=", idempotencyKey);
      const row = await query.executeTakeFirst();
      return row && toJobRecord(row);
    },
    async holdStates(ids: readonly string[]) {
      const known = ids.filter(isUuid);
      if (known.length === 0) return [];
      const rows = await tx
        .selectFrom("jobs")
        .selectAll()
        .where("id", "in", known)
        .orderBy("id")
        .forShare()
        .execute();
      return rows.map(toJobRecord);
    },
    async hasPendingDispatch(id: string) {
      const query = tx.selectFrom("outbox").select("id").where("job_id", "=", id).where("topic", "=", "work");
      return (await query.limit(1).executeTakeFirst()) !== undefined;
    },
    async lockWaitingChildren(id: string) {
      const rows = await tx
        .selectFrom("jobs")
        .selectAll()
        .where("state", "=", "waiting")
        .where("id", "in", tx.selectFrom("job_edges").select("child_id").where("parent_id", "=", id))
        .orderBy("id")
        .forNoKeyUpdate()
        .execute();
      return rows.map(toJobRecord);
    },
    async parentsOf(id: string) {
      const rows = await tx
        .selectFrom("jobs")
        .selectAll()
        .where("id", "in", tx.selectFrom("job_edges").select("parent_id").where("child_id", "=", id))
        .orderBy("id")
        .execute();
      return rows.map(toJobRecord);
    },
    async items(jobId: string) {
      const rows = await tx
        .selectFrom("job_items")
        .selectAll()
        .where("job_id", "=", jobId)
        .orderBy("key")
        .execute();
      return rows.map(toItemRecord);
    },
  };
}
