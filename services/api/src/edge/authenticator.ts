import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** Who calls. */
export interface Principal {
  /** Name shown to the caller and in logs. */
  readonly name: string;
}

/** Who sends these headers; undefined when they do not say, or say it wrongly. */
export type Authenticator = (headers: IncomingHttpHeaders) => Promise<Principal | undefined>;

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/**
 * Accept `Authorization: Bearer <one of the tokens>`. Without tokens everybody is let in, as "local". The comparison takes the same
 * time wherever tokens differ, and always looks at all of them.
 */
export function tokenAuthenticator(tokens: readonly string[]): Authenticator {
  const known = tokens.map(digest);
  const principal: Principal = { name: "local" };
  return async (headers) => {
    if (known.length === 0) return principal;
    const match = /^bearer +([^\s]+) *$/i.exec(headers.authorization ?? "");
    const given = digest(match?.[1] ?? "");
    let found = false;
    for (const one of known) found = timingSafeEqual(one, given) || found;
    return found && match !== null ? principal : undefined;
  };
}
