import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type Dataset,
  DatasetSchema,
  type FeatureSchema,
  FeatureSchemaSchema,
  type Ingest,
  IngestSchema,
  IngestState,
} from "@cytomesh/contracts/catalog/v1/resources";
import type {
  DatasetRecord,
  FeatureSchemaRecord,
  IngestRecord,
  IngestStateName,
} from "../schemas/catalog.ts";

const ingestNumbers: Record<IngestStateName, IngestState> = {
  started: IngestState.STARTED,
  committed: IngestState.COMMITTED,
  failed: IngestState.FAILED,
};

/** Undefined for UNSPECIFIED and for numbers of newer contracts. */
export function ingestStateName(state: IngestState): IngestStateName | undefined {
  return (Object.keys(ingestNumbers) as IngestStateName[]).find((name) => ingestNumbers[name] === state);
}

export function toDatasetMessage(dataset: DatasetRecord): Dataset {
  return create(DatasetSchema, { ...dataset, createdAt: timestampFromDate(dataset.createdAt) });
}

export function toIngestMessage(ingest: IngestRecord): Ingest {
  return create(IngestSchema, {
    id: ingest.id,
    dataset: ingest.dataset,
    state: ingestNumbers[ingest.state],
    sourceUri: ingest.sourceUri,
    sha256: ingest.sha256,
    uri: ingest.uri,
    cellIdStart: ingest.cellIdStart ?? 0n,
    cells: ingest.cells ?? 0n,
    featureIdStart: ingest.featureIdStart ?? 0n,
    features: ingest.features ?? 0n,
    manifestSha256: ingest.manifestSha256 ?? "",
    error: ingest.error,
    jobId: ingest.jobId,
    startedAt: timestampFromDate(ingest.startedAt),
    ...(ingest.committedAt === undefined ? {} : { committedAt: timestampFromDate(ingest.committedAt) }),
    tag: ingest.tag,
  });
}

export function toFeatureSchemaMessage(schema: FeatureSchemaRecord): FeatureSchema {
  return create(FeatureSchemaSchema, {
    name: schema.name,
    featureIds: [...(schema.featureIds ?? [])],
    sha256: schema.sha256,
    size: schema.size,
    createdAt: timestampFromDate(schema.createdAt),
  });
}
