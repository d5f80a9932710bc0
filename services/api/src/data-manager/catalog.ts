import { type Kysely, type SelectQueryBuilder, sql, type Transaction } from "kysely";
import type { ListQuery } from "../schemas/catalog.ts";
import type { Clock } from "../schemas/runtime.ts";
import { insertArtifact, listArtifacts, replaceArtifact, selectArtifact } from "./artifacts.ts";
import { ingestColumns, toDataset, toFeatureSchema, toIngest } from "./catalog-rows.ts";
import type { CatalogReads, CatalogStore, CatalogTransaction } from "./catalog-store.ts";
import { addFact } from "./outbox.ts";
import type { Tables } from "./postgres/tables.ts";
import { guarded, inTransaction } from "./postgres/transaction.ts";

type Db = Kysely<Tables> | Transaction<Tables>;

// Any constant that no other advisory lock of this database has.
const DEFAULTS_LOCK = 4_907_311_842n;
const schemaSummary = ["name", "sha256", "size", "created_at"] as const;

/** The catalog in Postgres. `clock` gives the times of facts. */
export function createCatalogStore(db: Kysely<Tables>, clock: Clock): CatalogStore {
  return {
    ...reads(db),
    transaction: (work) => inTransaction(db, (tx) => work(catalogTransaction(tx, clock))),
    async createDataset({ name, description, uri, createdAt }) {
      const row = await guarded(async () => {
        await db
          .insertInto("datasets")
          .values({ name, description, uri, created_at: createdAt })
          .onConflict((conflict) => conflict.column("name").doNothing())
          .execute();
        return await db.selectFrom("datasets").selectAll().where("name", "=", name).executeTakeFirstOrThrow();
      });
      return toDataset(row);
    },
    async createFeatureSchema({ name, featureIds, sha256, size, createdAt }) {
      const row = await guarded(async () => {
        await db
          .insertInto("feature_schemas")
          .values({ name, feature_ids: [...featureIds], sha256, size, created_at: createdAt })
          .onConflict((conflict) => conflict.column("name").doNothing())
          .execute();
        const query = db.selectFrom("feature_schemas").select(schemaSummary).where("name", "=", name);
        return await query.executeTakeFirstOrThrow();
      });
      return toFeatureSchema(row);
    },
    async listDatasets(query) {
      const base = db.selectFrom("datasets").selectAll();
      return (await guarded(() => page(base, query, "created_at", "name").execute())).map(toDataset);
    },
    async listIngests(query) {
      let base = db.selectFrom("ingests").selectAll();
      if (query.dataset !== undefined) base = base.where("dataset", "=", query.dataset);
      if (query.states.length > 0) base = base.where("state", "in", query.states);
      return (await guarded(() => page(base, query, "started_at", "id").execute())).map(toIngest);
    },
    async listFeatureSchemas(query) {
      const base = db.selectFrom("feature_schemas").select(schemaSummary);
      return (await guarded(() => page(base, query, "created_at", "name").execute())).map(toFeatureSchema);
    },
    listArtifacts: (kind, query) => guarded(() => listArtifacts(db, kind, query)),
  };
}

/** One page of a table, newest first. */
function page<T extends keyof Tables, R>(
  base: SelectQueryBuilder<Tables, T, R>,
  { limit, before }: ListQuery,
  time: "created_at" | "started_at",
  name: "name" | "id",
): SelectQueryBuilder<Tables, T, R> {
  const position = sql`(${sql.ref(time)}, ${sql.ref(name)})`;
  const after = before ? base.where(sql<boolean>`${position} < (${before.createdAt}, ${before.name})`) : base;
  return after.orderBy(sql.ref(time), "desc").orderBy(sql.ref(name), "desc").limit(limit);
}

function reads(db: Db): CatalogReads {
  return {
    async dataset(name) {
      const query = db.selectFrom("datasets").selectAll().where("name", "=", name);
      const row = await guarded(() => query.executeTakeFirst());
      return row && toDataset(row);
    },
    async ingest(id) {
      const row = await guarded(() =>
        db.selectFrom("ingests").selectAll().where("id", "=", id).executeTakeFirst(),
      );
      return row && toIngest(row);
    },
    async ingestsById(ids) {
      // One array parameter: a curriculum may name more ingests than a statement may have parameters.
      const query = db
        .selectFrom("ingests")
        .selectAll()
        .where(sql<boolean>`id = ANY(${[...ids]}::text[])`)
        .orderBy("id");
      return (await guarded(() => query.execute())).map(toIngest);
    },
    async featureSchema(name) {
      const query = db.selectFrom("feature_schemas").selectAll().where("name", "=", name);
      const row = await guarded(() => query.executeTakeFirst());
      return row && toFeatureSchema(row);
    },
    async featureSchemaExists(name) {
      const query = db.selectFrom("feature_schemas").select("name").where("name", "=", name);
      return (await guarded(() => query.executeTakeFirst())) !== undefined;
    },
    artifact: (kind, name) => guarded(() => selectArtifact(db, kind, name, false)),
  };
}

function catalogTransaction(tx: Transaction<Tables>, clock: Clock): CatalogTransaction {
  return {
    ...reads(tx),
    ...ingestWrites(tx),
    ...defaults(tx),
    lockArtifact: (kind, name) => selectArtifact(tx, kind, name, true),
    insertArtifact: (kind, message, createdAt) => insertArtifact(tx, kind, message, createdAt),
    replaceArtifact: (kind, message) => replaceArtifact(tx, kind, message),
    addFact: (subject, payload) => addFact(tx, subject, payload, clock()),
  };
}

function ingestWrites(tx: Transaction<Tables>) {
  return {
    async lockIngest(id) {
      const query = tx.selectFrom("ingests").selectAll().where("id", "=", id).forNoKeyUpdate();
      const row = await query.executeTakeFirst();
      return row && toIngest(row);
    },
    async insertIngest(ingest) {
      const row = await tx
        .insertInto("ingests")
        .values({
          id: ingest.id,
          dataset: ingest.dataset,
          state: "started",
          source_uri: ingest.sourceUri,
          sha256: ingest.sha256,
          options_fingerprint: ingest.optionsFingerprint,
          uri: ingest.uri,
          job_id: ingest.jobId,
          tag: ingest.tag,
          started_at: ingest.startedAt,
        })
        .onConflict((conflict) => conflict.columns(["dataset", "sha256", "options_fingerprint"]).doNothing())
        .returningAll()
        .executeTakeFirst();
      return row && toIngest(row);
    },
    async updateIngest(id, patch) {
      const query = tx.updateTable("ingests").set(ingestColumns(patch)).where("id", "=", id).returningAll();
      return toIngest(await query.executeTakeFirstOrThrow());
    },
    async takeIds(dataset, cells, features) {
      const row = await tx
        .updateTable("datasets")
        .set({
          next_cell_id: sql<bigint>`next_cell_id + ${cells}`,
          next_feature_id: sql<bigint>`next_feature_id + ${features}`,
        })
        .where("name", "=", dataset)
        .returning(["next_cell_id", "next_feature_id"])
        .executeTakeFirstOrThrow();
      return { cellIdStart: row.next_cell_id - cells, featureIdStart: row.next_feature_id - features };
    },
    async countIngest(dataset, cells) {
      await tx
        .updateTable("datasets")
        .set({ cells: sql<bigint>`cells + ${cells}`, ingests: sql<number>`ingests + 1` })
        .where("name", "=", dataset)
        .execute();
    },
  } satisfies Partial<CatalogTransaction>;
}

function defaults(tx: Transaction<Tables>) {
  return {
    async lockDefaults() {
      await sql`SELECT pg_advisory_xact_lock(${DEFAULTS_LOCK})`.execute(tx);
    },
    async defaultModel() {
      const query = tx.selectFrom("models").select("name").where("is_default", "=", true);
      return (await query.executeTakeFirst())?.name;
    },
    async defaultIndexOf(model) {
      const query = tx
        .selectFrom("indexes")
        .select("name")
        .where("model", "=", model)
        .where("is_default", "=", true);
      return (await query.executeTakeFirst())?.name;
    },
    async setDefaultModel(name) {
      // The old one first: the unique index is checked row by row.
      await tx.updateTable("models").set({ is_default: false }).where("is_default", "=", true).execute();
      await tx.updateTable("models").set({ is_default: true }).where("name", "=", name).execute();
    },
    async setDefaultIndex(model, index) {
      const old = tx.updateTable("indexes").set({ is_default: false }).where("model", "=", model);
      await old.where("is_default", "=", true).execute();
      await tx.updateTable("indexes").set({ is_default: true }).where("name", "=", index).execute();
    },
  } satisfies Partial<CatalogTransaction>;
}
