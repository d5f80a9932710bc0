import { env } from "@cytomesh/config";
import { EdgeError } from "./errors.ts";

/** Settings of the public edge, besides those every service has. */
export const edgeSettings = {
  /** Address to bind for callers from outside. The default is reachable from this machine only. */
  CYTOMESH_HOST: env.string("127.0.0.1"),
  /** HTTP/1.1: REST, web page, probes, Connect, gRPC-Web. */
  CYTOMESH_HTTP_PORT: env.port(7400),
  /** HTTP/2 without TLS: gRPC, gRPC-Web, Connect. */
  CYTOMESH_EDGE_PORT: env.port(7401),
  /** Everything on one port, HTTP/1.1 and HTTP/2, when a certificate is set. */
  CYTOMESH_TLS_PORT: env.port(7443),
  /** PEM files of the certificate chain and its key; both or none. */
  CYTOMESH_TLS_CERT: env.path().optional(),
  CYTOMESH_TLS_KEY: env.path().optional(),
  /** Tokens that callers may present, separated by commas. Unset: no token is asked for. */
  CYTOMESH_API_TOKENS: env.secret().optional(),
  /** Listen on an address that others reach although no token is set. */
  CYTOMESH_ALLOW_ANONYMOUS: env.bool(false),
  /** Origins of web pages that may call Connect and gRPC-Web, such as https://lab.example; none by default. */
  CYTOMESH_CORS_ORIGINS: env.list().optional(),
  /** Largest uploaded file. */
  CYTOMESH_MAX_UPLOAD: env.bytes("512MiB"),
  /** Longest time an annotate or search request may take, its upload included. CAS clients give up after 730 s. */
  CYTOMESH_REQUEST_TIMEOUT: env.durationMs("10m"),
  /** How long an uploaded file may keep the reader busy before it counts as hostile. */
  CYTOMESH_READER_TIMEOUT: env.durationMs("1m"),
  /** Oldest `cellarium-cas` client that is told it is compatible. */
  CYTOMESH_MIN_CLIENT_VERSION: env.string("1.8.0"),
};

/** The tokens in the setting. */
export function parseTokens(setting: string | undefined): string[] {
  return (setting ?? "")
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

/** Whether an address to bind is reachable from this machine only. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * Refuse to serve strangers by accident.
 *
 * @throws EdgeError `unsafe-settings`
 */
export function assertSafeBinding(o: {
  host: string;
  tokens: readonly string[];
  allowAnonymous: boolean;
}): void {
  if (o.tokens.length > 0 || o.allowAnonymous || isLoopback(o.host)) return;
  throw new EdgeError(
    "unsafe-settings",
    `CYTOMESH_HOST is ${o.host}, which others can reach, and no token is set: set CYTOMESH_API_TOKENS, or CYTOMESH_ALLOW_ANONYMOUS=true if anyone may read and change everything`,
  );
}
