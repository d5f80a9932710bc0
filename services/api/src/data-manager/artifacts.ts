import { clone, create, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  CurriculumSchema,
  EmbeddingSchema,
  IndexSchema,
  ModelSchema,
  OntologySchema,
} from "@cytomesh/contracts/catalog/v1/resources";
import { type Kysely, sql, type Transaction } from "kysely";
import type { ArtifactKind, ListQuery } from "../schemas/catalog.ts";
import { canonicalJson } from "../schemas/json.ts";
import type { ArtifactMessages } from "./catalog-store.ts";
import type { Tables } from "./postgres/tables.ts";
import { storableJson } from "./text.ts";

type Db = Kysely<Tables> | Transaction<Tables>;

interface Shape {
  readonly table: "curricula" | "models" | "embeddings" | "indexes" | "ontologies";
  readonly schema: DescMessage;
  /** Fields of the message that are columns as well, because they refer to other rows. */
  readonly references: readonly string[];
  readonly hasDefault: boolean;
}

const SHAPES: Record<ArtifactKind, Shape> = {
  curriculum: {
    table: "curricula",
    schema: CurriculumSchema,
    references: ["dataset", "featureSchema"],
    hasDefault: false,
  },
  model: {
    table: "models",
    schema: ModelSchema,
    references: ["featureSchema", "curriculum"],
    hasDefault: true,
  },
  embedding: {
    table: "embeddings",
    schema: EmbeddingSchema,
    references: ["model", "curriculum"],
    hasDefault: false,
  },
  index: {
    table: "indexes",
    schema: IndexSchema,
    references: ["embedding", "model", "ontology"],
    hasDefault: true,
  },
  ontology: { table: "ontologies", schema: OntologySchema, references: [], hasDefault: false },
};

const columnOf = (field: string): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

interface Row {
  content: JsonValue;
  created_at: Date;
  is_default?: boolean;
}

function toMessage<K extends ArtifactKind>(kind: K, row: Row): ArtifactMessages[K] {
  const { schema, hasDefault } = SHAPES[kind];
  const message = fromJson(schema, row.content, { ignoreUnknownFields: true });
  return Object.assign(message, {
    createdAt: timestampFromDate(row.created_at),
    ...(hasDefault ? { isDefault: row.is_default === true } : {}),
  }) as unknown as ArtifactMessages[K];
}

/** The message without what the server sets: `created_at` and `is_default`. */
export function contentOf<K extends ArtifactKind>(
  kind: K,
  message: ArtifactMessages[K],
): ArtifactMessages[K] {
  const { schema, hasDefault } = SHAPES[kind];
  const copy = Object.assign(clone(schema, message), hasDefault ? { isDefault: false } : {});
  delete (copy as { createdAt?: unknown }).createdAt;
  return copy as unknown as ArtifactMessages[K];
}

/** Canonical JSON of the message without what the server sets. */
export function contentJson<K extends ArtifactKind>(kind: K, message: ArtifactMessages[K]) {
  return canonicalJson(SHAPES[kind].schema, contentOf(kind, message));
}

const columns = (shape: Shape) =>
  shape.hasDefault ? sql`content, created_at, is_default` : sql`content, created_at`;

export async function selectArtifact<K extends ArtifactKind>(
  db: Db,
  kind: K,
  name: string,
  lock: boolean,
): Promise<ArtifactMessages[K] | undefined> {
  const shape = SHAPES[kind];
  const { rows } = await sql<Row>`
    SELECT ${columns(shape)} FROM ${sql.table(shape.table)} WHERE name = ${name}
    ${lock ? sql`FOR NO KEY UPDATE` : sql``}`.execute(db);
  return rows[0] && toMessage(kind, rows[0]);
}

export async function listArtifacts<K extends ArtifactKind>(
  db: Db,
  kind: K,
  { limit, before }: ListQuery,
): Promise<ArtifactMessages[K][]> {
  const shape = SHAPES[kind];
  const where = before ? sql`WHERE (created_at, name) < (${before.createdAt}, ${before.name})` : sql``;
  const { rows } = await sql<Row>`
    SELECT ${columns(shape)} FROM ${sql.table(shape.table)} ${where}
    ORDER BY created_at DESC, name DESC LIMIT ${limit}`.execute(db);
  return rows.map((row) => toMessage(kind, row));
}

export async function insertArtifact<K extends ArtifactKind>(
  db: Db,
  kind: K,
  message: ArtifactMessages[K],
  createdAt: Date,
): Promise<boolean> {
  const { table, references } = SHAPES[kind];
  const fields = message as unknown as Record<string, unknown>;
  const names = ["name", "content", "created_at", ...references.map(columnOf)];
  // An empty reference is none.
  const values = [
    message.name,
    JSON.stringify(storableJson(contentJson(kind, message))),
    createdAt,
    ...references.map((field) => fields[field] || null),
  ];
  const result = await sql`
    INSERT INTO ${sql.table(table)} (${sql.join(names.map((name) => sql.ref(name)))})
    VALUES (${sql.join(values)}) ON CONFLICT (name) DO NOTHING`.execute(db);
  return result.numAffectedRows === 1n;
}

export async function replaceArtifact<K extends ArtifactKind>(
  db: Db,
  kind: K,
  message: ArtifactMessages[K],
): Promise<void> {
  const content = JSON.stringify(storableJson(contentJson(kind, message)));
  await sql`
    UPDATE ${sql.table(SHAPES[kind].table)} SET content = ${content} WHERE name = ${message.name}`.execute(
    db,
  );
}

/** An empty message of the kind. */
export const emptyArtifact = <K extends ArtifactKind>(kind: K): ArtifactMessages[K] =>
  create(SHAPES[kind].schema) as unknown as ArtifactMessages[K];
