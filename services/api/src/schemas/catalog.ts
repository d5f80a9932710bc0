/** A dataset as the control database holds it. */
export interface DatasetRecord {
  readonly name: string;
  readonly description: string;
  readonly uri: string;
  readonly cells: bigint;
  readonly ingests: number;
  readonly createdAt: Date;
}

export const ingestStates = ["started", "committed", "failed"] as const;
export type IngestStateName = (typeof ingestStates)[number];

/** An ingest as the control database holds it. The four id fields are set together. */
export interface IngestRecord {
  readonly id: string;
  readonly dataset: string;
  readonly state: IngestStateName;
  readonly sourceUri: string;
  readonly sha256: string;
  readonly optionsFingerprint: string;
  readonly uri: string;
  readonly cellIdStart: bigint | undefined;
  readonly cells: bigint | undefined;
  readonly featureIdStart: bigint | undefined;
  readonly features: bigint | undefined;
  readonly manifestSha256: string | undefined;
  readonly error: string;
  readonly jobId: string;
  readonly tag: string;
  readonly startedAt: Date;
  readonly committedAt: Date | undefined;
}

export interface FeatureSchemaRecord {
  readonly name: string;
  /** Left out of lists. */
  readonly featureIds: readonly string[] | undefined;
  readonly sha256: string;
  readonly size: number;
  readonly createdAt: Date;
}

/** Kinds of artifacts that are registered as a whole. */
export type ArtifactKind = "curriculum" | "model" | "embedding" | "index" | "ontology";

/** Position in a list that is sorted newest first. */
export interface ListPosition {
  readonly createdAt: Date;
  readonly name: string;
}

export interface ListQuery {
  readonly limit: number;
  readonly before: ListPosition | undefined;
}
