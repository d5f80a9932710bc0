import type { Client } from "@connectrpc/connect";
import type { MeshService } from "@cytomesh/contracts/api/v1/mesh_service";
import type { CatalogService } from "@cytomesh/contracts/catalog/v1/catalog_service";
import type { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import type { InferenceService } from "@cytomesh/contracts/inference/v1/inference_service";
import type { JobService } from "@cytomesh/contracts/jobs/v1/job_service";
import type { Logger } from "@cytomesh/rpc";
import type { TaskPool } from "@cytomesh/service-kit";
import type { Authenticator } from "../edge/authenticator.ts";

/** The services that REST calls, over gRPC. */
export interface RestClients {
  readonly catalog: Client<typeof CatalogService>;
  readonly jobs: Client<typeof JobService>;
  readonly inference: Client<typeof InferenceService>;
  readonly extract: Client<typeof ExtractService>;
  readonly mesh: Client<typeof MeshService>;
}

/** What a request may cost. */
export interface RestLimits {
  /** Largest uploaded file, in bytes. */
  readonly maxUploadBytes: number;
  /** Longest annotate or search request, upload included, in ms. */
  readonly requestTimeoutMs: number;
  /** How long a file may keep the vetting reader busy, in ms. */
  readonly readerTimeoutMs: number;
  /** Uploads that are annotated at the same time; more of them wait. Default 16. */
  readonly concurrentUploads?: number;
  /** How long an upload waits for its turn before the client is told to come back, in ms. Default 120 s. */
  readonly queueTimeoutMs?: number;
  /** How long a client may leave an answer unread, in ms. Default 60 s. */
  readonly stallTimeoutMs?: number;
}

/** Everything the REST app works with. */
export interface RestDeps {
  readonly clients: RestClients;
  /** Worker threads over {@link uploadTasks}. */
  readonly pool: TaskPool;
  /** Read a small object (an ontology resource) of the store. */
  readonly readObject: (uri: string, signal: AbortSignal) => Promise<Uint8Array>;
  /** Local folder for uploads; exists. */
  readonly tempDir: string;
  readonly limits: RestLimits;
  readonly authenticator: Authenticator;
  /** Oldest `cellarium-cas` client that is told it is compatible, as PEP 440. */
  readonly minClientVersion: string;
  /** Version of the mesh. */
  readonly version: string;
  readonly logger: Logger;
}

/** Module for `createTaskPool`: reads uploads in worker threads. */
export const uploadTasks = new URL("./upload/tasks.ts", import.meta.url);
