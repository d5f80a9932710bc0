import type { z } from "zod";
import { ApiError, throwViolations } from "../errors.ts";

const MAX_TOKEN = 16_384;

/** An opaque token that says where the next page begins. */
export function encodePageToken(position: unknown): string {
  return Buffer.from(JSON.stringify(position)).toString("base64url");
}

/** The position in a token; undefined for the empty one. Throws `bad_page_token`. */
export function decodePageToken<T>(token: string, schema: z.ZodType<T>): T | undefined {
  if (token === "") return undefined;
  try {
    if (token.length > MAX_TOKEN) throw new Error(`it is longer than ${MAX_TOKEN} characters`);
    return schema.parse(JSON.parse(Buffer.from(token, "base64url").toString("utf8")));
  } catch (cause) {
    throw new ApiError(
      "bad_page_token",
      "page_token was not given out by this list; take it from next_page_token of the page before, or leave it out",
      { cause, violations: [{ field: "page_token", description: "not a token of this list" }] },
    );
  }
}

/** `size` checked against 1…max, or the default when unset. Throws `invalid_argument`. */
export function pageSize(size: number, unset: number, max: number): number {
  if (size === 0) return unset;
  if (size < 0 || size > max)
    throwViolations("the request", [
      { field: "page_size", description: `expected a number from 1 to ${max}, found ${size}` },
    ]);
  return size;
}
