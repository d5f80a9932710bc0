import type { ValidationProblem } from "./types.ts";

/** A problem as a sentence for people that names its place, which most messages do themselves. */
export function sentenceOf({ where, message }: Pick<ValidationProblem, "where" | "message">): string {
  const [part = ""] = where.split("/").filter(Boolean);
  const named =
    part === "" || new RegExp(`(?<![\\p{L}\\d_])${RegExp.escape(part)}(?![\\p{L}\\d_])`, "u").test(message);
  return named ? message : `${where}: ${message}`;
}
