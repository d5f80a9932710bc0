import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { LineageNode, Model } from "@cytomesh/contracts/catalog/v1/resources";
import { z } from "zod";
import type { ArtifactMessages, CatalogStore } from "../../data-manager/catalog-store.ts";
import { notFound, throwViolations } from "../../errors.ts";
import type {
  ArtifactKind,
  DatasetRecord,
  FeatureSchemaRecord,
  IngestRecord,
  IngestStateName,
  ListPosition,
  ListQuery,
} from "../../schemas/catalog.ts";
import { createChecks } from "../../schemas/checks.ts";
import { decodePageToken, encodePageToken, pageSize } from "../../schemas/page-token.ts";
import { type Clock, systemClock } from "../../schemas/runtime.ts";
import { registerArtifact, setDefaultModel } from "./artifacts.ts";
import type { CatalogContext, CatalogLayout } from "./context.ts";
import { createFeatureSchema } from "./feature-schemas.ts";
import { type BeginIngest, beginIngest, commitIngest, failIngest, reserveIds } from "./ingests.ts";
import { getLineage } from "./lineage.ts";

export interface PageRequest {
  readonly pageSize: number;
  readonly pageToken: string;
}

export interface CatalogPage<T> {
  readonly entries: T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** Everything the catalog does, as documented in `catalog/v1/catalog_service.proto`. */
export interface Catalog {
  createDataset(request: { readonly name: string; readonly description: string }): Promise<DatasetRecord>;
  getDataset(name: string): Promise<DatasetRecord>;
  listDatasets(request: PageRequest): Promise<CatalogPage<DatasetRecord>>;
  beginIngest(request: BeginIngest): Promise<IngestRecord>;
  reserveIds(request: { ingestId: string; cells: bigint; features: bigint }): Promise<IngestRecord>;
  commitIngest(request: { ingestId: string; manifestSha256: string; jobId: string }): Promise<IngestRecord>;
  failIngest(request: { ingestId: string; error: string }): Promise<IngestRecord>;
  getIngest(id: string): Promise<IngestRecord>;
  listIngests(
    request: PageRequest & { readonly dataset: string; readonly states: readonly IngestStateName[] },
  ): Promise<CatalogPage<IngestRecord>>;
  createFeatureSchema(request: {
    readonly name: string;
    readonly featureIds: readonly string[];
  }): Promise<FeatureSchemaRecord>;
  getFeatureSchema(name: string): Promise<FeatureSchemaRecord>;
  listFeatureSchemas(request: PageRequest): Promise<CatalogPage<FeatureSchemaRecord>>;
  register<K extends ArtifactKind>(
    kind: K,
    message: ArtifactMessages[K] | undefined,
  ): Promise<ArtifactMessages[K]>;
  get<K extends ArtifactKind>(kind: K, name: string): Promise<ArtifactMessages[K]>;
  list<K extends ArtifactKind>(kind: K, request: PageRequest): Promise<CatalogPage<ArtifactMessages[K]>>;
  setDefaultModel(name: string): Promise<Model>;
  lineage(kind: string, name: string): Promise<LineageNode[]>;
}

export interface CatalogDeps {
  readonly store: CatalogStore;
  readonly layout: CatalogLayout;
  readonly clock?: Clock;
}

const MAX_DESCRIPTION = 4_096;
const position = z.tuple([z.iso.datetime(), z.string().max(256)]);

export function createCatalog(deps: CatalogDeps): Catalog {
  const { store } = deps;
  const context: CatalogContext = { store, layout: deps.layout, clock: deps.clock ?? systemClock };
  return {
    createDataset: (request) => createDataset(context, request),
    getDataset: (name) => found("dataset", name, store.dataset(name)),
    listDatasets: (request) => listPage(request, (query) => store.listDatasets(query), byName),
    beginIngest: (request) => beginIngest(context, request),
    reserveIds: (request) => reserveIds(context, request),
    commitIngest: (request) => commitIngest(context, request),
    failIngest: (request) => failIngest(context, request),
    getIngest: (id) => found("ingest", id, store.ingest(id)),
    listIngests: (request) =>
      listPage(
        request,
        (query) =>
          store.listIngests({ ...query, dataset: request.dataset || undefined, states: request.states }),
        (ingest) => ({ createdAt: ingest.startedAt, name: ingest.id }),
      ),
    createFeatureSchema: (request) => createFeatureSchema(context, request),
    getFeatureSchema: (name) => found("feature schema", name, store.featureSchema(name)),
    listFeatureSchemas: (request) => listPage(request, (query) => store.listFeatureSchemas(query), byName),
    register: (kind, message) => registerArtifact(context, kind, message),
    get: (kind, name) => found(kind, name, store.artifact(kind, name)),
    list: (kind, request) =>
      listPage(
        request,
        (query) => store.listArtifacts(kind, query),
        (message) => ({ createdAt: timestampDate(message.createdAt!), name: message.name }),
      ),
    setDefaultModel: (name) => setDefaultModel(context, name),
    lineage: (kind, name) => getLineage(context, kind, name),
  };
}

const byName = (record: ListPosition): ListPosition => record;

async function found<T>(kind: string, name: string, result: Promise<T | undefined>): Promise<T> {
  const it = await result;
  if (it === undefined) throw notFound(kind, name);
  return it;
}

async function createDataset(
  context: CatalogContext,
  { name, description }: { readonly name: string; readonly description: string },
): Promise<DatasetRecord> {
  const checks = createChecks();
  checks.dataset("name", name);
  checks.optionalText("description", description, MAX_DESCRIPTION);
  throwViolations("the dataset", checks.violations);
  const uri = context.layout.dataset(name);
  return await context.store.createDataset({ name, description, uri, createdAt: context.clock() });
}

async function listPage<T>(
  request: PageRequest,
  read: (query: ListQuery) => Promise<T[]>,
  positionOf: (entry: T) => ListPosition,
): Promise<CatalogPage<T>> {
  const limit = pageSize(request.pageSize, 100, 500);
  const token = decodePageToken(request.pageToken, position);
  const before = token && { createdAt: new Date(token[0]), name: token[1] };
  const rows = await read({ limit: limit + 1, before });
  const entries = rows.slice(0, limit);
  const last = entries.at(-1);
  if (rows.length <= limit || last === undefined) return { entries, nextPageToken: "" };
  const { createdAt, name } = positionOf(last);
  return { entries, nextPageToken: encodePageToken([createdAt.toISOString(), name]) };
}
