import {
  answerProbe,
  createEdgeHandler,
  type Logger,
  type NodeHandler,
  type ProbeTargets,
  type ServiceBinding,
} from "@cytomesh/rpc";
import type { Authenticator } from "./authenticator.ts";
import { applyCors } from "./cors.ts";
import { EdgeError } from "./errors.ts";
import { guardOrigin } from "./origin-guard.ts";
import { refuseHttp, refuseRpc } from "./refuse.ts";
import type { EdgeRequest, EdgeResponse } from "./types.ts";

/** Services that answer without a token: health is a probe, reflection is documentation. */
const openServices = /^\/grpc\.(health|reflection)\./;

/** What decides about a request. */
export interface DispatchOptions {
  readonly bindings: readonly ServiceBinding[];
  /** Undefined on the port that serves RPC alone. */
  readonly rest: NodeHandler | undefined;
  readonly probes: ProbeTargets;
  readonly authenticator: Authenticator;
  /** Answer only to names of this machine. */
  readonly localOnly: boolean;
  readonly corsOrigins: readonly string[];
  readonly logger: Logger;
  readonly shutdownSignal: AbortSignal;
}

/** The listener of a port: probes, then RPC (checked here), then REST (which checks for itself). */
export function createDispatch(o: DispatchOptions): NodeHandler {
  const rpc = createEdgeHandler({ services: o.bindings, shutdownSignal: o.shutdownSignal });
  const services = new Set(o.bindings.map(({ service }) => service.typeName));
  const isRpc = (path: string) => services.has(path.slice(1, Math.max(1, path.indexOf("/", 1))));

  const serveRpc = async (path: string, request: EdgeRequest, response: EdgeResponse): Promise<void> => {
    if (applyCors(request, response, o.corsOrigins)) return;
    try {
      guardOrigin({ method: request.method ?? "GET", headers: request.headers }, o);
      if (!openServices.test(path) && (await o.authenticator(request.headers)) === undefined)
        throw new EdgeError("unauthenticated", "expected Authorization: Bearer with a token of this mesh");
    } catch (reason) {
      return refuseRpc(request, response, reason);
    }
    rpc(request, response);
  };

  const serve = async (request: EdgeRequest, response: EdgeResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    const probe = await answerProbe(path, o.probes);
    if (probe !== undefined) {
      response.statusCode = probe.status;
      response.setHeader("Content-Type", probe.type);
      response.end(probe.body);
      return;
    }
    if (isRpc(path)) return serveRpc(path, request, response);
    try {
      guardOrigin({ method: request.method ?? "GET", headers: request.headers }, o);
      if (o.rest === undefined)
        throw new EdgeError("not-found", `no service at ${path.slice(0, 200)} on this port`);
    } catch (reason) {
      return refuseHttp(response, reason);
    }
    o.rest(request, response);
  };

  return (request, response) => {
    serve(request, response as EdgeResponse).catch((error) => {
      o.logger.error({ err: error }, "the edge failed");
      if (!response.headersSent) refuseHttp(response as EdgeResponse, error);
      else response.destroy();
    });
  };
}
