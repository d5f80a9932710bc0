import type { Selectable, Updateable } from "kysely";
import type { DatasetRecord, FeatureSchemaRecord, IngestRecord } from "../schemas/catalog.ts";
import type { IngestPatch } from "./catalog-store.ts";
import type { DatasetsTable, FeatureSchemasTable, IngestsTable } from "./postgres/tables.ts";
import { storableText } from "./text.ts";

const ERROR_CHARACTERS = 16_384;

export function toDataset(row: Selectable<DatasetsTable>): DatasetRecord {
  const { name, description, uri, cells, ingests, created_at } = row;
  return { name, description, uri, cells, ingests, createdAt: created_at };
}

export function toIngest(row: Selectable<IngestsTable>): IngestRecord {
  return {
    id: row.id,
    dataset: row.dataset,
    state: row.state,
    sourceUri: row.source_uri,
    sha256: row.sha256,
    optionsFingerprint: row.options_fingerprint,
    uri: row.uri,
    cellIdStart: row.cell_id_start ?? undefined,
    cells: row.cells ?? undefined,
    featureIdStart: row.feature_id_start ?? undefined,
    features: row.features ?? undefined,
    manifestSha256: row.manifest_sha256 ?? undefined,
    error: row.error,
    jobId: row.job_id,
    tag: row.tag,
    startedAt: row.started_at,
    committedAt: row.committed_at ?? undefined,
  };
}

const INGEST_COLUMNS = {
  state: "state",
  sourceUri: "source_uri",
  cellIdStart: "cell_id_start",
  cells: "cells",
  featureIdStart: "feature_id_start",
  features: "features",
  manifestSha256: "manifest_sha256",
  jobId: "job_id",
  tag: "tag",
  committedAt: "committed_at",
} as const;

export function ingestColumns(patch: IngestPatch): Updateable<IngestsTable> {
  const columns: Record<string, unknown> = {};
  for (const [field, column] of Object.entries(INGEST_COLUMNS) as [keyof typeof INGEST_COLUMNS, string][]) {
    if (field in patch) columns[column] = patch[field] ?? null;
  }
  if (patch.error !== undefined) columns.error = storableText(patch.error, ERROR_CHARACTERS);
  return columns as Updateable<IngestsTable>;
}

export function toFeatureSchema(
  row: Omit<Selectable<FeatureSchemasTable>, "feature_ids"> & { feature_ids?: string[] },
): FeatureSchemaRecord {
  const { name, sha256, size, created_at } = row;
  return { name, featureIds: row.feature_ids, sha256, size, createdAt: created_at };
}
