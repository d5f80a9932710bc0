import type { ServiceImpl } from "@connectrpc/connect";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import type { Catalog } from "../services/catalog/catalog.ts";
import {
  ingestStateName,
  toDatasetMessage,
  toFeatureSchemaMessage,
  toIngestMessage,
} from "./catalog-messages.ts";
import { knownStates } from "./known-states.ts";

export interface CatalogServiceDeps {
  readonly catalog: Catalog;
}

type Impl = ServiceImpl<typeof CatalogService>;

/** CatalogService of `catalog/v1/catalog_service.proto`. */
export function createCatalogServiceImpl(deps: CatalogServiceDeps): Impl {
  const { catalog } = deps;
  return {
    ...datasets(catalog),
    ...featureSchemas(catalog),
    ...artifacts(catalog),
    setDefaultModel: async ({ name }) => ({ model: await catalog.setDefaultModel(name) }),
    getLineage: async ({ kind, name }) => ({ nodes: await catalog.lineage(kind, name) }),
  };
}

function datasets(catalog: Catalog) {
  return {
    async createDataset(request) {
      return { dataset: toDatasetMessage(await catalog.createDataset(request)) };
    },
    async getDataset({ name }) {
      return { dataset: toDatasetMessage(await catalog.getDataset(name)) };
    },
    async listDatasets(request) {
      const { entries, nextPageToken } = await catalog.listDatasets(request);
      return { datasets: entries.map(toDatasetMessage), nextPageToken };
    },
    async beginIngest(request) {
      return { ingest: toIngestMessage(await catalog.beginIngest(request)) };
    },
    async reserveIds(request) {
      return { ingest: toIngestMessage(await catalog.reserveIds(request)) };
    },
    async commitIngest(request) {
      return { ingest: toIngestMessage(await catalog.commitIngest(request)) };
    },
    async failIngest(request) {
      return { ingest: toIngestMessage(await catalog.failIngest(request)) };
    },
    async getIngest({ id }) {
      return { ingest: toIngestMessage(await catalog.getIngest(id)) };
    },
    async listIngests(request) {
      const states = knownStates(request.states, ingestStateName);
      const { entries, nextPageToken } = await catalog.listIngests({ ...request, states });
      return { ingests: entries.map(toIngestMessage), nextPageToken };
    },
  } satisfies Partial<Impl>;
}

function featureSchemas(catalog: Catalog) {
  return {
    async createFeatureSchema(request) {
      return { featureSchema: toFeatureSchemaMessage(await catalog.createFeatureSchema(request)) };
    },
    async getFeatureSchema({ name }) {
      return { featureSchema: toFeatureSchemaMessage(await catalog.getFeatureSchema(name)) };
    },
    async listFeatureSchemas(request) {
      const { entries, nextPageToken } = await catalog.listFeatureSchemas(request);
      return { featureSchemas: entries.map(toFeatureSchemaMessage), nextPageToken };
    },
  } satisfies Partial<Impl>;
}

function artifacts(catalog: Catalog) {
  return {
    registerCurriculum: async (request) => ({
      curriculum: await catalog.register("curriculum", request.curriculum),
    }),
    getCurriculum: async ({ name }) => ({ curriculum: await catalog.get("curriculum", name) }),
    async listCurricula(request) {
      const { entries, nextPageToken } = await catalog.list("curriculum", request);
      return { curricula: entries, nextPageToken };
    },
    registerModel: async (request) => ({ model: await catalog.register("model", request.model) }),
    getModel: async ({ name }) => ({ model: await catalog.get("model", name) }),
    async listModels(request) {
      const { entries, nextPageToken } = await catalog.list("model", request);
      return { models: entries, nextPageToken };
    },
    registerEmbedding: async (request) => ({
      embedding: await catalog.register("embedding", request.embedding),
    }),
    getEmbedding: async ({ name }) => ({ embedding: await catalog.get("embedding", name) }),
    async listEmbeddings(request) {
      const { entries, nextPageToken } = await catalog.list("embedding", request);
      return { embeddings: entries, nextPageToken };
    },
    registerIndex: async (request) => ({ index: await catalog.register("index", request.index) }),
    getIndex: async ({ name }) => ({ index: await catalog.get("index", name) }),
    async listIndexes(request) {
      const { entries, nextPageToken } = await catalog.list("index", request);
      return { indexes: entries, nextPageToken };
    },
    registerOntology: async (request) => ({ ontology: await catalog.register("ontology", request.ontology) }),
    getOntology: async ({ name }) => ({ ontology: await catalog.get("ontology", name) }),
    async listOntologies(request) {
      const { entries, nextPageToken } = await catalog.list("ontology", request);
      return { ontologies: entries, nextPageToken };
    },
  } satisfies Partial<Impl>;
}
