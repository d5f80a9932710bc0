import { cors } from "@connectrpc/connect";
import type { EdgeRequest, EdgeResponse } from "./types.ts";

/** Headers that browsers may send besides the protocols' own. */
const allowedHeaders = [...cors.allowedHeaders, "Authorization", "X-Request-Id"].join(", ");
const exposedHeaders = [...cors.exposedHeaders, "X-Request-Id"].join(", ");

/** How long a browser may keep the answer to a preflight, in seconds: the most that Chromium honours. */
const maxAgeSeconds = 7_200;

/** Answer preflights of allowed origins and mark answers to them; true when the request is answered. */
export function applyCors(request: EdgeRequest, response: EdgeResponse, origins: readonly string[]): boolean {
  const { origin } = request.headers;
  const allowed = origin !== undefined && origins.includes(origin);
  if (origins.length > 0) response.setHeader("Vary", "Origin");
  if (allowed) {
    response.setHeader("Access-Control-Allow-Origin", origin);
    response.setHeader("Access-Control-Expose-Headers", exposedHeaders);
  }
  if (request.method !== "OPTIONS") return false;
  if (allowed) {
    response.setHeader("Access-Control-Allow-Methods", cors.allowedMethods.join(", "));
    response.setHeader("Access-Control-Allow-Headers", allowedHeaders);
    response.setHeader("Access-Control-Max-Age", String(maxAgeSeconds));
  }
  response.statusCode = allowed ? 204 : 403;
  response.end();
  return true;
}
