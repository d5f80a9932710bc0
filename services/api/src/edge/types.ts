import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";

/** A request on any of the ports. */
export type EdgeRequest = IncomingMessage | Http2ServerRequest;

/** Its answer, as far as both kinds have it in common. */
export type EdgeResponse = (ServerResponse | Http2ServerResponse) & {
  setHeader(name: string, value: string): unknown;
  end(text?: string): unknown;
};
