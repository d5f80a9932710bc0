import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import type {
  Curriculum,
  Embedding,
  EmbeddingSchema,
  FeatureSchema,
  Index,
  IndexSchema,
  Model,
  Ontology,
} from "@cytomesh/contracts/catalog/v1/resources";

/** What answering queries asks of the catalog. */
export interface CatalogLookups {
  model(name: string): Promise<Model>;
  defaultModel(): Promise<Model | undefined>;
  index(name: string): Promise<Index>;
  /** Indexes over the vectors of a model. */
  indexesOf(model: string): Promise<Index[]>;
  ontology(name: string): Promise<Ontology>;
}

/** What the service asks of the catalog. */
export interface InferenceCatalog extends CatalogLookups {
  curriculum(name: string): Promise<Curriculum>;
  featureSchema(name: string): Promise<FeatureSchema>;
  embedding(name: string): Promise<Embedding>;
  registerEmbedding(embedding: MessageInitShape<typeof EmbeddingSchema>): Promise<Embedding>;
  registerIndex(index: MessageInitShape<typeof IndexSchema>): Promise<Index>;
  setDefaultModel(name: string): Promise<void>;
}

/** The catalog over gRPC. */
export function inferenceCatalog(client: Client<typeof CatalogService>): InferenceCatalog {
  return {
    model: async (name) => required((await client.getModel({ name })).model),
    async defaultModel() {
      for await (const model of allModels(client)) if (model.isDefault) return model;
      return undefined;
    },
    curriculum: async (name) => required((await client.getCurriculum({ name })).curriculum),
    featureSchema: async (name) => required((await client.getFeatureSchema({ name })).featureSchema),
    embedding: async (name) => required((await client.getEmbedding({ name })).embedding),
    index: async (name) => required((await client.getIndex({ name })).index),
    async indexesOf(model) {
      const found: Index[] = [];
      for await (const index of allIndexes(client)) if (index.model === model) found.push(index);
      return found;
    },
    ontology: async (name) => required((await client.getOntology({ name })).ontology),
    registerEmbedding: async (embedding) =>
      required((await client.registerEmbedding({ embedding })).embedding),
    registerIndex: async (index) => required((await client.registerIndex({ index })).index),
    async setDefaultModel(name) {
      await client.setDefaultModel({ name });
    },
  };
}

function allModels(client: Client<typeof CatalogService>): AsyncGenerator<Model> {
  return pages(async (page) => {
    const { models, nextPageToken } = await client.listModels(page);
    return { items: models, nextPageToken };
  });
}

function allIndexes(client: Client<typeof CatalogService>): AsyncGenerator<Index> {
  return pages(async (page) => {
    const { indexes, nextPageToken } = await client.listIndexes(page);
    return { items: indexes, nextPageToken };
  });
}

async function* pages<T>(
  list: (page: { pageSize: number; pageToken: string }) => Promise<{ items: T[]; nextPageToken: string }>,
): AsyncGenerator<T> {
  let pageToken = "";
  do {
    const page = await list({ pageSize: 500, pageToken });
    yield* page.items;
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the catalog answered without the resource");
  return value;
}
