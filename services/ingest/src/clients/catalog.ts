import type { Client } from "@connectrpc/connect";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { type Ingest, IngestState } from "@cytomesh/contracts/catalog/v1/resources";

/** An ingest as this service sees it. */
export interface IngestTicket {
  readonly id: string;
  readonly committed: boolean;
  readonly cells: number;
  readonly features: number;
  readonly cellIdStart: number;
  readonly featureIdStart: number;
}

/** What the service asks of the catalog. */
export interface IngestCatalog {
  ensureDataset(name: string): Promise<void>;
  begin(o: {
    dataset: string;
    sourceUri: string;
    sha256: string;
    optionsFingerprint: string;
    jobId: string;
    tag: string;
  }): Promise<IngestTicket>;
  reserve(ingestId: string, cells: number, features: number): Promise<IngestTicket>;
  commit(ingestId: string, manifestSha256: string, jobId: string): Promise<void>;
  fail(ingestId: string, error: string): Promise<void>;
}

/** The catalog over gRPC. */
export function ingestCatalog(client: Client<typeof CatalogService>): IngestCatalog {
  return {
    async ensureDataset(name) {
      await client.createDataset({ name });
    },
    begin: async (request) => ticketOf((await client.beginIngest(request)).ingest),
    reserve: async (ingestId, cells, features) =>
      ticketOf(
        (await client.reserveIds({ ingestId, cells: BigInt(cells), features: BigInt(features) })).ingest,
      ),
    async commit(ingestId, manifestSha256, jobId) {
      await client.commitIngest({ ingestId, manifestSha256, jobId });
    },
    async fail(ingestId, error) {
      await client.failIngest({ ingestId, error });
    },
  };
}

function ticketOf(ingest: Ingest | undefined): IngestTicket {
  if (ingest === undefined) throw new Error("the catalog answered without an ingest");
  return {
    id: ingest.id,
    committed: ingest.state === IngestState.COMMITTED,
    cells: Number(ingest.cells),
    features: Number(ingest.features),
    cellIdStart: Number(ingest.cellIdStart),
    featureIdStart: Number(ingest.featureIdStart),
  };
}
