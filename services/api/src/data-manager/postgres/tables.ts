import type { JsonValue } from "@bufbuild/protobuf";
import type { ColumnType, Generated } from "kysely";

/** `bigint` columns arrive as `bigint`, `timestamptz` as `Date` (milliseconds), `jsonb` parsed. */
type Json = ColumnType<JsonValue, string, string>;

export interface JobsTable {
  id: string;
  kind: string;
  service: string;
  state: string;
  spec: Json;
  result: ColumnType<JsonValue | null, string | null, string | null>;
  progress_done: Generated<bigint>;
  progress_total: Generated<bigint>;
  progress_unit: Generated<string>;
  progress_message: Generated<string>;
  items_succeeded: Generated<number>;
  items_failed: Generated<number>;
  items_total: Generated<number>;
  error_reason: string | null;
  error_message: string | null;
  error_retryable: boolean | null;
  attempt: Generated<number>;
  max_attempts: number;
  created_at: Date;
  started_at: Date | null;
  finished_at: Date | null;
  next_attempt_at: Date | null;
  idempotency_key: string | null;
  after_ids: Generated<string[]>;
  cancel_requested: Generated<boolean>;
  revision: Generated<bigint>;
  worker: Generated<string>;
  lease: string | null;
  lease_expires_at: Date | null;
  ended_lease: string | null;
  dispatched_at: Date | null;
  dispatch_count: Generated<number>;
}

export interface JobEdgesTable {
  child_id: string;
  parent_id: string;
}

export interface JobItemsTable {
  job_id: string;
  key: string;
  state: string;
  error_reason: string | null;
  error_message: string | null;
  error_retryable: boolean | null;
  checkpoint: Uint8Array;
  updated_at: Date;
}

export interface OutboxTable {
  id: Generated<bigint>;
  topic: "work" | "fact";
  subject: string;
  payload: Uint8Array;
  job_id: string | null;
  attempt: number | null;
  due_at: Date;
  failures: Generated<number>;
}

export interface DatasetsTable {
  name: string;
  description: string;
  uri: string;
  cells: Generated<bigint>;
  ingests: Generated<number>;
  next_cell_id: Generated<bigint>;
  next_feature_id: Generated<bigint>;
  created_at: Date;
}

export interface IngestsTable {
  id: string;
  dataset: string;
  state: "started" | "committed" | "failed";
  source_uri: string;
  sha256: string;
  options_fingerprint: string;
  uri: string;
  cell_id_start: bigint | null;
  cells: bigint | null;
  feature_id_start: bigint | null;
  features: bigint | null;
  manifest_sha256: string | null;
  error: Generated<string>;
  job_id: string;
  tag: string;
  started_at: Date;
  committed_at: Date | null;
}

export interface FeatureSchemasTable {
  name: string;
  feature_ids: string[];
  sha256: string;
  size: number;
  created_at: Date;
}

interface ArtifactTable {
  name: string;
  content: Json;
  created_at: Date;
}

export interface CurriculaTable extends ArtifactTable {
  dataset: string;
  feature_schema: string;
}

export interface ModelsTable extends ArtifactTable {
  feature_schema: string;
  curriculum: string | null;
  is_default: Generated<boolean>;
}

export interface EmbeddingsTable extends ArtifactTable {
  model: string;
  curriculum: string;
}

export type OntologiesTable = ArtifactTable;

export interface IndexesTable extends ArtifactTable {
  embedding: string;
  model: string;
  ontology: string | null;
  is_default: Generated<boolean>;
}

/** The control database as `migrations/` leaves it. */
export interface Tables {
  jobs: JobsTable;
  job_edges: JobEdgesTable;
  job_items: JobItemsTable;
  outbox: OutboxTable;
  datasets: DatasetsTable;
  ingests: IngestsTable;
  feature_schemas: FeatureSchemasTable;
  curricula: CurriculaTable;
  models: ModelsTable;
  embeddings: EmbeddingsTable;
  ontologies: OntologiesTable;
  indexes: IndexesTable;
}
