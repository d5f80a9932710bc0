import type { FastifyInstance } from "fastify";
import type { Authenticator } from "../edge/authenticator.ts";
import { EdgeError } from "../edge/errors.ts";
import { contextOf } from "./request-context.ts";

/** What a route says about who may call it; nothing: whoever has a token. */
export interface RouteAccess {
  /** Anyone may call. */
  readonly open?: boolean;
  /** Browsers may present the token as the password of HTTP Basic. For pages that change nothing only: browsers repeat it unasked. */
  readonly basic?: boolean;
}

/** The token in HTTP Basic, as a Bearer header. */
function basicAsBearer(header: string | undefined): string | undefined {
  const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? "")?.[1];
  if (encoded === undefined) return header;
  const text = Buffer.from(encoded, "base64").toString("utf8");
  return `Bearer ${text.slice(text.indexOf(":") + 1)}`;
}

/** Ask every request for its token, before anything of its body is read. */
export function addAuthentication(app: FastifyInstance, authenticator: Authenticator): void {
  app.addHook("onRequest", async (request, reply) => {
    const { open = false, basic = false } = request.routeOptions.config as RouteAccess;
    if (open) return;
    const { headers } = request;
    const given = basic ? { ...headers, authorization: basicAsBearer(headers.authorization) } : headers;
    const principal = await authenticator(given);
    if (principal !== undefined) {
      contextOf(request).principal = principal;
      return;
    }
    reply.header(
      "www-authenticate",
      basic ? 'Basic realm="Cytomesh: any name, a token as password", charset="UTF-8"' : "Bearer",
    );
    throw new EdgeError("unauthenticated", "expected Authorization: Bearer with a token of this mesh");
  });
}
