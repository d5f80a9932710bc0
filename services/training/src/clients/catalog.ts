import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import type { Curriculum, Model, ModelSchema } from "@cytomesh/contracts/catalog/v1/resources";

/** What the service asks of the catalog. */
export interface TrainingCatalog {
  curriculum(name: string): Promise<Curriculum>;
  featureIds(schema: string): Promise<string[]>;
  model(name: string): Promise<Model>;
  registerModel(model: MessageInitShape<typeof ModelSchema>): Promise<Model>;
}

/** The catalog over gRPC. */
export function trainingCatalog(client: Client<typeof CatalogService>): TrainingCatalog {
  return {
    curriculum: async (name) => required((await client.getCurriculum({ name })).curriculum),
    featureIds: async (name) => required((await client.getFeatureSchema({ name })).featureSchema).featureIds,
    model: async (name) => required((await client.getModel({ name })).model),
    registerModel: async (model) => required((await client.registerModel({ model })).model),
  };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the catalog answered without the resource");
  return value;
}
