import type { Logger, NodeHandler, ProbeTargets, ServiceBinding } from "@cytomesh/rpc";
import type { Authenticator } from "./authenticator.ts";

/** What {@link startEdge} needs. */
export interface EdgeOptions {
  readonly host: string;
  /** HTTP/1.1 port; 0 takes a free one. */
  readonly httpPort: number;
  /** h2c port; 0 takes a free one. */
  readonly edgePort: number;
  /** TLS port with its certificate; undefined serves none. */
  readonly tls?:
    | { readonly port: number; readonly cert: string | Buffer; readonly key: string | Buffer }
    | undefined;
  /** The instrumented bindings: `HostedService.bindings`, and forwarded ones passed through `instrument`. */
  readonly bindings: readonly ServiceBinding[];
  /** Everything that is not RPC: `RestApp.handle`. */
  readonly rest: NodeHandler;
  readonly probes: ProbeTargets;
  readonly authenticator: Authenticator;
  /** True when callers need no token. */
  readonly anonymous: boolean;
  /** Origins of web pages that may call; default none. */
  readonly corsOrigins?: readonly string[];
  /** Longest time a request may take to arrive, in ms. */
  readonly requestTimeoutMs: number;
  readonly logger: Logger;
}

/** The edge, listening. Addresses are `host:port`. */
export interface Edge {
  readonly httpAddress: string;
  readonly edgeAddress: string;
  readonly tlsAddress: string | undefined;
  /** Take no more connections, let calls under way finish for up to `graceMs`, then drop them. */
  stop(graceMs?: number): Promise<void>;
}

/** Open the public ports. */
export declare function startEdge(options: EdgeOptions): Promise<Edge>;
