import { isDeepStrictEqual } from "node:util";
import { type DescMessage, type JsonObject, type MessageShape, toJson } from "@bufbuild/protobuf";

/** Canonical protobuf JSON as a database gives it back: no `-0`, no `undefined`. */
export function canonicalJson<D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject {
  return JSON.parse(JSON.stringify(toJson(schema, message))) as JsonObject;
}

/** Names of the fields in which two JSON objects differ; the order of keys does not count. */
export function differingFields(a: JsonObject, b: JsonObject): string[] {
  const fields = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...fields].filter((field) => !isDeepStrictEqual(a[field], b[field])).sort();
}
