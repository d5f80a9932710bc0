import type { ValidationProblem } from "./types.ts";

/** A problem as a sentence for people that names its place, which most messages do themselves. */
export function sentenceOf({ where, message }: Pick<ValidationProblem, "where" | "message">): string {
  const [part = ""] = where.split("/").filter(Boolean);
  const literal = part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  const named = part === "" || new RegExp(`(?<![\\p{L}\\d_])${literal}(?![\\p{L}\\d_])`, "u").test(message);
  return named ? message : `${where}: ${message}`;
}
