import {
  create,
  type DescMessage,
  equals,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  type Curriculum,
  EmbeddingSchema,
  type FeatureSchema,
  IndexSchema,
  type Model,
  type Ontology,
} from "@cytomesh/contracts/catalog/v1/resources";
import type { InferenceCatalog } from "../clients/catalog.ts";

/** A catalog in memory, with its tables open to the test. */
export function fakeCatalog() {
  const tables = {
    models: new Map<string, Model>(),
    curricula: new Map<string, Curriculum>(),
    schemas: new Map<string, FeatureSchema>(),
    embeddings: new Map<string, MessageShape<typeof EmbeddingSchema>>(),
    indexes: new Map<string, MessageShape<typeof IndexSchema>>(),
    ontologies: new Map<string, Ontology>(),
  };
  let clock = 1_000;
  const get = async <T>(table: Map<string, T>, name: string): Promise<T> => {
    const found = table.get(name);
    if (found === undefined) throw new ConnectError(`there is no ${JSON.stringify(name)}`, Code.NotFound);
    return found;
  };
  const register = async <S extends DescMessage>(
    schema: S,
    table: Map<string, MessageShape<S>>,
    init: MessageInitShape<S>,
  ): Promise<MessageShape<S>> => {
    const message = create(schema, { ...init, jobId: "" } as never) as MessageShape<S> & { name: string };
    const known = table.get(message.name);
    if (known !== undefined) {
      const same = create(schema, { ...known, createdAt: undefined, $unknown: undefined } as never);
      if (!equals(schema, same as never, message as never))
        throw new ConnectError(`${message.name} has other content`, Code.AlreadyExists);
      return known;
    }
    table.set(message.name, Object.assign(message, { createdAt: timestampFromMs(clock++) }));
    return message;
  };
  const catalog: InferenceCatalog = {
    model: (name) => get(tables.models, name),
    defaultModel: async () => [...tables.models.values()].find((model) => model.isDefault),
    curriculum: (name) => get(tables.curricula, name),
    featureSchema: (name) => get(tables.schemas, name),
    embedding: (name) => get(tables.embeddings, name),
    index: (name) => get(tables.indexes, name),
    indexesOf: async (model) => [...tables.indexes.values()].filter((index) => index.model === model),
    ontology: (name) => get(tables.ontologies, name),
    registerEmbedding: (init) => register(EmbeddingSchema, tables.embeddings, init),
    registerIndex: (init) => register(IndexSchema, tables.indexes, init),
    async setDefaultModel(name) {
      await get(tables.models, name);
      for (const model of tables.models.values()) model.isDefault = model.name === name;
    },
  };
  return { tables, catalog };
}
