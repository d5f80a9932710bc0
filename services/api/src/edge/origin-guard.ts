import type { IncomingHttpHeaders } from "node:http";
import { EdgeError } from "./errors.ts";

/** Host and port that the request names. */
export function authorityOf(headers: IncomingHttpHeaders): string {
  const pseudo = headers[":authority"];
  return (typeof pseudo === "string" ? pseudo : headers.host) ?? "";
}

const isLocalName = (authority: string): boolean => {
  const name = authority.replace(/:\d+$/, "").toLowerCase();
  return (
    name === "localhost" ||
    name.endsWith(".localhost") ||
    name === "[::1]" ||
    /^127(\.\d{1,3}){3}$/.test(name)
  );
};

/**
 * Keep web pages of others from using the mesh through the browser of somebody who can reach it: a page may not change anything
 * unless its origin is this host or allowed, and where no token is asked for, the request must name this machine (a page could
 * otherwise point its own name at the loopback address).
 *
 * @throws EdgeError `foreign-origin`
 */
export function guardOrigin(
  request: { readonly method: string; readonly headers: IncomingHttpHeaders },
  o: { localOnly: boolean; corsOrigins: readonly string[] },
): void {
  const authority = authorityOf(request.headers);
  if (o.localOnly && !isLocalName(authority))
    throw new EdgeError(
      "foreign-origin",
      `this mesh asks for no token and answers to this machine's own names only, not to ${JSON.stringify(authority.slice(0, 200))}; set CYTOMESH_API_TOKENS to serve others`,
    );
  const { origin } = request.headers;
  if (origin === undefined || ["GET", "HEAD", "OPTIONS"].includes(request.method)) return;
  if (o.corsOrigins.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === authority.toLowerCase()) return;
  throw new EdgeError(
    "foreign-origin",
    `pages of ${JSON.stringify(origin.slice(0, 200))} may not call this mesh; allow it in CYTOMESH_CORS_ORIGINS`,
  );
}
