import type { DescService } from "@bufbuild/protobuf";
import { type Client, ConnectError } from "@connectrpc/connect";
import { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import { ImagingService } from "@cytomesh/contracts/imaging/v1/imaging_service";
import { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import { IngestService } from "@cytomesh/contracts/ingest/v1/ingest_service";
import { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import { openChannel } from "@cytomesh/rpc";
import { CliError } from "./errors.ts";

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
const defaultApi = "127.0.0.1:7401";

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

/**
 * Run `use` with a connection that is closed afterwards.
 *
 * @throws CliError `failed` when nobody answers at the address
 */
export async function withMesh<T>(
  api: string | undefined,
  use: (mesh: MeshClient) => Promise<T>,
): Promise<T> {
  const mesh = connectMesh(api);
  try {
    return await use(mesh);
  } catch (error) {
    if (
      error instanceof ConnectError &&
      /No connection established|Name resolution failed/.test(error.rawMessage)
    )
      throw new CliError("failed", nobodyAt(mesh.target, error.rawMessage), { cause: error });
    throw error;
  } finally {
    mesh.close();
  }
}

/** grpc-js tells all of its layers; the last of them knows why. */
function nobodyAt(target: string, told: string): string {
  const why = /(?:connect |getaddrinfo )?\bE[A-Z]{4,}\b[^.;)]*(?:\.\d+)*(?::\d+)?/.exec(told)?.[0];
  return `no mesh answers at ${target}${why === undefined ? "" : ` (${why.trim()})`}: cytomesh up starts one on this machine, --api HOST:PORT or CYTOMESH_API names another`;
}
