import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import {
  type Curriculum,
  type CurriculumSchema,
  type Ingest,
  IngestState,
} from "@cytomesh/contracts/catalog/v1/resources";

/** What the service asks of the catalog. */
export interface ExtractCatalog {
  /** Committed ingests of a dataset, oldest first. */
  ingests(dataset: string): Promise<Ingest[]>;
  curriculum(name: string): Promise<Curriculum>;
  registerCurriculum(curriculum: MessageInitShape<typeof CurriculumSchema>): Promise<Curriculum>;
  featureIds(schema: string): Promise<string[]>;
  createFeatureSchema(name: string, featureIds: string[]): Promise<void>;
}

/** The catalog over gRPC. */
export function extractCatalog(client: Client<typeof CatalogService>): ExtractCatalog {
  return {
    async ingests(dataset) {
      await client.getDataset({ name: dataset });
      const all: Ingest[] = [];
      let pageToken = "";
      do {
        const page = await client.listIngests({
          dataset,
          states: [IngestState.COMMITTED],
          pageSize: 500,
          pageToken,
        });
        all.push(...page.ingests);
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      return all.sort((a, b) => Number(a.cellIdStart - b.cellIdStart));
    },
    curriculum: async (name) => required((await client.getCurriculum({ name })).curriculum),
    registerCurriculum: async (curriculum) =>
      required((await client.registerCurriculum({ curriculum })).curriculum),
    featureIds: async (name) => required((await client.getFeatureSchema({ name })).featureSchema).featureIds,
    async createFeatureSchema(name, featureIds) {
      await client.createFeatureSchema({ name, featureIds });
    },
  };
}

function required<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("the catalog answered without the resource");
  return value;
}
