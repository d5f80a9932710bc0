import type { NodeHandler } from "@cytomesh/rpc";
import multipart from "@fastify/multipart";
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from "fastify";
import { addAuthentication } from "./authentication.ts";
import { addCasGeneral } from "./cas/general.ts";
import { addCasOperations } from "./cas/operations.ts";
import { addCasQueryCells } from "./cas/query-cells.ts";
import type { RestDeps } from "./deps.ts";
import { addErrorAnswers } from "./error-answers.ts";
import { addDocs } from "./pages/docs.ts";
import { addOverview } from "./pages/overview.ts";
import { addRequestContext, contextOf } from "./request-context.ts";
import { createRoom } from "./room.ts";
import { removeStaleUploads } from "./upload/receive.ts";
import { addV1Annotate } from "./v1/annotate.ts";
import { addV1Catalog } from "./v1/catalog.ts";
import { addV1Jobs } from "./v1/jobs.ts";
import { addV1Watch } from "./v1/watch.ts";

/** The REST app. */
export interface RestApp {
  /** Request listener for HTTP/1.1 and HTTP/2 servers. */
  readonly handle: NodeHandler;
  /** The Fastify app, for `inject`. */
  readonly fastify: FastifyInstance;
  /** End event streams and refuse new requests; requests under way finish. */
  close(): Promise<void>;
}

/** JSON bodies: 20,000 cell ids, or a job with thousands of URIs. */
const jsonBodyBytes = 4 * 1024 * 1024;

/** Build the REST app: the API that CAS clients use, the mesh's own under `/v1`, its documentation, and a page for people. */
export async function createRestApp(deps: RestDeps): Promise<RestApp> {
  const closing = new AbortController();
  const app = fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: jsonBodyBytes,
    // A base URL that ends in "/" makes clients ask for "//api/…".
    routerOptions: { ignoreDuplicateSlashes: true, ignoreTrailingSlash: true, maxParamLength: 200 },
  }) as FastifyInstance;
  // Nothing here reads plain text, and a page of another site may send it without being asked.
  app.removeContentTypeParser("text/plain");
  await app.register(multipart, {
    throwFileSizeLimit: false,
    limits: { fileSize: deps.limits.maxUploadBytes },
  });
  addRequestContext(app);
  addErrorAnswers(app);
  addAuthentication(app, deps.authenticator);
  app.addHook("onResponse", async (request, reply) => {
    const { traceId, requestId, began } = contextOf(request);
    deps.logger.info(
      {
        http: `${request.method} ${request.routeOptions.url ?? "(no route)"}`,
        status: reply.statusCode,
        ms: Math.round(performance.now() - began),
        requestId,
        traceId,
      },
      "answered",
    );
  });
  await removeStaleUploads(deps.tempDir, 2 * deps.limits.requestTimeoutMs);
  const room = createRoom(deps, closing.signal);
  addCasGeneral(app, room);
  addCasOperations(app, room);
  addCasQueryCells(app, room);
  addV1Annotate(app, room);
  addV1Jobs(app, room);
  addV1Watch(app, room);
  addV1Catalog(app, room);
  addOverview(app, room);
  addDocs(app, room);
  await app.ready();
  return {
    handle: (request, response) => app.routing(request as never, response as never),
    fastify: app,
    async close() {
      closing.abort(new Error("the edge is stopping"));
      await app.close();
    },
  };
}
