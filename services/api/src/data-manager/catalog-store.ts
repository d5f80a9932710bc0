import type { Curriculum, Embedding, Index, Model, Ontology } from "@cytomesh/contracts/catalog/v1/resources";
import type {
  ArtifactKind,
  DatasetRecord,
  FeatureSchemaRecord,
  IngestRecord,
  IngestStateName,
  ListQuery,
} from "../schemas/catalog.ts";

/** The message of each kind of artifact. */
export interface ArtifactMessages {
  curriculum: Curriculum;
  model: Model;
  embedding: Embedding;
  index: Index;
  ontology: Ontology;
}

export type IngestPatch = Partial<
  Pick<
    IngestRecord,
    | "state"
    | "sourceUri"
    | "cellIdStart"
    | "cells"
    | "featureIdStart"
    | "features"
    | "manifestSha256"
    | "error"
    | "jobId"
    | "tag"
    | "committedAt"
  >
>;

export type NewIngest = Pick<
  IngestRecord,
  "id" | "dataset" | "sourceUri" | "sha256" | "optionsFingerprint" | "uri" | "jobId" | "tag" | "startedAt"
>;

export interface CatalogReads {
  dataset(name: string): Promise<DatasetRecord | undefined>;
  ingest(id: string): Promise<IngestRecord | undefined>;
  /** In the order of their ids; unknown ones are left out. */
  ingestsById(ids: readonly string[]): Promise<IngestRecord[]>;
  /** With its feature ids. */
  featureSchema(name: string): Promise<FeatureSchemaRecord | undefined>;
  featureSchemaExists(name: string): Promise<boolean>;
  artifact<K extends ArtifactKind>(kind: K, name: string): Promise<ArtifactMessages[K] | undefined>;
}

/** The catalog inside one transaction. */
export interface CatalogTransaction extends CatalogReads {
  lockIngest(id: string): Promise<IngestRecord | undefined>;
  /** Inserts; undefined when the dataset holds the same content with the same options. */
  insertIngest(ingest: NewIngest): Promise<IngestRecord | undefined>;
  updateIngest(id: string, patch: IngestPatch): Promise<IngestRecord>;
  /** Takes the next ids of the dataset; its row stays locked until the transaction ends. */
  takeIds(
    dataset: string,
    cells: bigint,
    features: bigint,
  ): Promise<{ cellIdStart: bigint; featureIdStart: bigint }>;
  countIngest(dataset: string, cells: bigint): Promise<void>;
  lockArtifact<K extends ArtifactKind>(kind: K, name: string): Promise<ArtifactMessages[K] | undefined>;
  /** False when the name is taken. */
  insertArtifact<K extends ArtifactKind>(
    kind: K,
    message: ArtifactMessages[K],
    createdAt: Date,
  ): Promise<boolean>;
  replaceArtifact<K extends ArtifactKind>(kind: K, message: ArtifactMessages[K]): Promise<void>;
  /** Makes changes of defaults wait for each other. */
  lockDefaults(): Promise<void>;
  defaultModel(): Promise<string | undefined>;
  defaultIndexOf(model: string): Promise<string | undefined>;
  setDefaultModel(name: string): Promise<void>;
  setDefaultIndex(model: string, index: string): Promise<void>;
  addFact(subject: string, payload: Uint8Array): Promise<void>;
}

/** What the mesh knows. Every method throws `ApiError` `unavailable` when the database cannot be reached. */
export interface CatalogStore extends CatalogReads {
  /** Runs `work` in one transaction, again after a deadlock; it must have no other effects. */
  transaction<T>(work: (tx: CatalogTransaction) => Promise<T>): Promise<T>;
  /** The dataset of that name: this one, or the one that was there. */
  createDataset(
    dataset: Pick<DatasetRecord, "name" | "description" | "uri" | "createdAt">,
  ): Promise<DatasetRecord>;
  /** The schema of that name: this one, or the one that was there. */
  createFeatureSchema(
    schema: FeatureSchemaRecord & { readonly featureIds: readonly string[] },
  ): Promise<Omit<FeatureSchemaRecord, "featureIds">>;
  listDatasets(query: ListQuery): Promise<DatasetRecord[]>;
  listIngests(
    query: ListQuery & { readonly dataset: string | undefined; readonly states: readonly IngestStateName[] },
  ): Promise<IngestRecord[]>;
  listFeatureSchemas(query: ListQuery): Promise<FeatureSchemaRecord[]>;
  listArtifacts<K extends ArtifactKind>(kind: K, query: ListQuery): Promise<ArtifactMessages[K][]>;
}
