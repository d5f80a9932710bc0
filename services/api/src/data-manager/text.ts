import type { JsonValue } from "@bufbuild/protobuf";

const NUL = /\0/g;

/** Text that Postgres can hold: well-formed, without NUL, at most `maxLength` UTF-16 units. */
export function storableText(text: string, maxLength: number): string {
  const clean = text.toWellFormed().replace(NUL, "\u{fffd}");
  return clean.length <= maxLength ? clean : `${clean.slice(0, maxLength - 1).toWellFormed()}…`;
}

/** The same value with every string and key made storable in a jsonb column. */
export function storableJson(value: JsonValue): JsonValue {
  if (typeof value === "string") return storableText(value, Number.POSITIVE_INFINITY);
  if (Array.isArray(value)) return value.map(storableJson);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [storableText(key, Number.POSITIVE_INFINITY), storableJson(v)]),
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether Postgres takes it for a uuid in the form in which ids are given out. */
export const isUuid = (text: string): boolean => UUID.test(text);
