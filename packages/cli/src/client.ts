import type { DescService } from "@bufbuild/protobuf";
import type { Client } from "@connectrpc/connect";
import { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { IngestService } from "@cytomesh/contracts/ingest/v1/ingest_service";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { openChannel } from "@cytomesh/rpc";

/** Clients of a mesh, all over one connection to its edge. */
export interface MeshClient {
  readonly target: string;
  readonly jobs: Client<typeof JobService>;
  readonly catalog: Client<typeof CatalogService>;
  readonly ingest: Client<typeof IngestService>;
  readonly extract: Client<typeof ExtractService>;
  readonly imaging: Client<typeof ImagingService>;
  readonly inference: Client<typeof InferenceService>;
  readonly mesh: Client<typeof MeshService>;
  close(): void;
}

/** Address of the mesh when nothing says otherwise: the edge of `cytomesh up`. */
export const defaultApi = "127.0.0.1:7401";

/** Connect to a mesh. A token comes from `CYTOMESH_TOKEN`. */
export function connectMesh(
  api?: string,
  source: Record<string, string | undefined> = process.env,
): MeshClient {
  const target = api || source.CYTOMESH_API || defaultApi;
  const token = source.CYTOMESH_TOKEN;
  const channel = openChannel(target, {
    timeoutMs: 60_000,
    ...(token === undefined || token === "" ? {} : { headers: { authorization: `Bearer ${token}` } }),
  });
  const client = <S extends DescService>(service: S) => channel.client(service);
  return {
    target,
    jobs: client(JobService),
    catalog: client(CatalogService),
    ingest: client(IngestService),
    extract: client(ExtractService),
    imaging: client(ImagingService),
    inference: client(InferenceService),
    mesh: client(MeshService),
    close: () => channel.close(),
  };
}

/** Run `use` with a connection that is closed afterwards. */
export async function withMesh<T>(
  api: string | undefined,
  use: (mesh: MeshClient) => Promise<T>,
): Promise<T> {
  const mesh = connectMesh(api);
  try {
    return await use(mesh);
  } finally {
    mesh.close();
  }
}
