import type { Logger, NodeHandler, ProbeTargets, ServiceBinding } from "@cytomesh/rpc";
import type { Authenticator } from "./authenticator.ts";
import { createDispatch } from "./dispatch.ts";
import { type OpenPort, openH2c, openHttp1, openTls } from "./servers.ts";
import { isLoopback } from "./settings.ts";

/** What {@link startEdge} needs. */
export interface EdgeOptions {
  readonly host: string;
  /** HTTP/1.1 port; 0 takes a free one. */
  readonly httpPort: number;
  /** h2c port; 0 takes a free one. */
  readonly edgePort: number;
  /** TLS port with its certificate (PEM); undefined serves none. */
  readonly tls?:
    | { readonly port: number; readonly cert: string | Buffer; readonly key: string | Buffer }
    | undefined;
  /** The instrumented bindings: `HostedService.bindings`, and forwarded ones passed through `instrument`. */
  readonly bindings: readonly ServiceBinding[];
  /** Everything that is not RPC: `RestApp.handle`. */
  readonly rest: NodeHandler;
  readonly probes: ProbeTargets;
  readonly authenticator: Authenticator;
  /** True when callers need no token. On a loopback address only names of this machine are then answered to. */
  readonly anonymous: boolean;
  /** Origins of web pages that may call Connect and gRPC-Web; default none. */
  readonly corsOrigins?: readonly string[] | undefined;
  /** Longest time a request may take to arrive over HTTP/1.1, in ms. */
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
}

/** The edge, listening. Addresses are `host:port`. */
export interface Edge {
  readonly httpAddress: string;
  readonly edgeAddress: string;
  readonly tlsAddress: string | undefined;
  /** Take no more connections, let calls under way finish for up to `graceMs` (default 10 s), then drop them. */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Open the public ports: HTTP/1.1 with REST, probes, Connect and gRPC-Web; h2c with gRPC, gRPC-Web, Connect and probes; and, given a
 * certificate, one TLS port with all of it over HTTP/2 and HTTP/1.1.
 *
 * @throws Error what the operating system says when a port cannot be bound; no port stays open then
 */
export async function startEdge(options: EdgeOptions): Promise<Edge> {
  const shutdown = new AbortController();
  const dispatch = (rest: NodeHandler | undefined) =>
    createDispatch({
      ...options,
      rest,
      localOnly: options.anonymous && isLoopback(options.host),
      corsOrigins: options.corsOrigins ?? [],
      shutdownSignal: shutdown.signal,
    });
  const everything = dispatch(options.rest);
  const { host, requestTimeoutMs, tls } = options;
  const ports: OpenPort[] = [];
  try {
    ports.push(await openHttp1({ host, port: options.httpPort, requestTimeoutMs, handle: everything }));
    ports.push(
      await openH2c({ host, port: options.edgePort, requestTimeoutMs, handle: dispatch(undefined) }),
    );
    if (tls !== undefined) ports.push(await openTls({ host, ...tls, requestTimeoutMs, handle: everything }));
  } catch (error) {
    for (const port of ports) port.drain();
    await Promise.all(ports.map((port) => port.close()));
    throw error;
  }
  const [http, edge, secure] = ports as [OpenPort, OpenPort, OpenPort | undefined];
  const addresses = { http: http.address, edge: edge.address, tls: secure?.address };
  options.logger.info(addresses, "the edge listens");
  return {
    httpAddress: http.address,
    edgeAddress: edge.address,
    tlsAddress: secure?.address,
    async stop(graceMs = 10_000) {
      for (const port of ports) port.drain();
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([Promise.all(ports.map((port) => port.idle())), grace.promise]);
      clearTimeout(timer);
      shutdown.abort(new Error("the edge is stopping"));
      await Promise.all(ports.map((port) => port.close()));
    },
  };
}
