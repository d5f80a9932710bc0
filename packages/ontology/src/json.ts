import { OntologyError } from "./errors.ts";

/** A JSON object, not an array and not null. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` as a JSON object, or `invalid_value` naming the place. */
export function record(value: unknown, where: string): Record<string, unknown> {
  if (!isRecord(value))
    throw new OntologyError("invalid_value", `${where}: expected an object, found ${kind(value)}.`);
  return value;
}

/** `value` as a JSON array, or `missing_key` / `invalid_value` naming the place. */
export function array(value: unknown, where: string): readonly unknown[] {
  if (value === undefined)
    throw new OntologyError("missing_key", `${where}: expected an array, found nothing.`);
  if (!Array.isArray(value)) {
    throw new OntologyError("invalid_value", `${where}: expected an array, found ${kind(value)}.`);
  }
  return value;
}

/** `value` as a string; null and undefined become undefined. */
export function optionalString(value: unknown, where: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") {
    throw new OntologyError("invalid_value", `${where}: expected a string, found ${kind(value)}.`);
  }
  return value;
}

/** What a JSON value is, for messages. */
export function kind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : typeof value;
}
