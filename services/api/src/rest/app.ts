import type { NodeHandler } from "@cytomesh/rpc";
import type { FastifyInstance } from "fastify";
import type { RestDeps } from "./deps.ts";

/** The REST app. */
export interface RestApp {
  /** Request listener for HTTP/1.1 and HTTP/2 servers. */
  readonly handle: NodeHandler;
  /** The Fastify app, for `inject`. */
  readonly fastify: FastifyInstance;
  /** End event streams and refuse new requests; requests under way finish. */
  close(): Promise<void>;
}

/** Build the REST app. */
export declare function createRestApp(deps: RestDeps): Promise<RestApp>;
