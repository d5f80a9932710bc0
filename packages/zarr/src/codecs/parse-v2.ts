import { ZarrError } from "../errors.ts";
import { field, isObject, show } from "../meta/json.ts";
import { elementBytes, parseTypeV2, swapUnit } from "../meta/type.ts";
import type { Json, JsonObject, ZarrType } from "../types.ts";
import type { ArrayCodec, BytesCodec, Pipeline, Serializer } from "./codec.ts";
import { bytesCodec } from "./registry.ts";

const maxFilters = 16;

/** Type and pipeline of a .zarray document: order, filters and compressor. */
export function parsePipelineV2(
  doc: JsonObject,
  rank: number,
  where: string,
): { type: ZarrType; pipeline: Pipeline } {
  const filters = filterList(field(doc, "filters") ?? null, where);
  const objects = { "vlen-utf8": "string", "vlen-bytes": "bytes" } as const;
  const first = filters[0]?.id;
  const variable = first === "vlen-utf8" || first === "vlen-bytes" ? first : undefined;
  const { type, bigEndian } = parseTypeV2(field(doc, "dtype") ?? null, variable && objects[variable], where);
  const isVariable = elementBytes(type) === undefined;
  if (!isVariable && variable !== undefined) {
    throw new ZarrError("corrupt", `${where}: the filter ${variable} over elements of fixed size`);
  }
  const serializer: Serializer = isVariable
    ? { name: variable!, kind: variable === "vlen-utf8" ? "strings" : "byte-strings" }
    : { name: "bytes", kind: "fixed", swap: bigEndian ? swapUnit(type) : 1, itemBytes: elementBytes(type)! };
  const order = field(doc, "order") ?? "C";
  if (order !== "C" && order !== "F") throw new ZarrError("corrupt", `${where}: order ${show(order)}`);
  const arrays: ArrayCodec[] =
    order === "F" && rank > 1
      ? [{ name: "transpose", transpose: Array.from({ length: rank }, (_, i) => rank - 1 - i) }]
      : [];
  const bytes: BytesCodec[] = filters
    .slice(isVariable ? 1 : 0)
    .map(({ id, config }) => bytesCodec(id, config, where));
  const compressor = field(doc, "compressor") ?? null;
  if (compressor !== null) {
    const { id, config } = named(compressor, where);
    bytes.push(bytesCodec(id, config, where));
  }
  return { type, pipeline: { arrays, serializer, bytes } };
}

function filterList(value: Json, where: string): { id: string; config: JsonObject }[] {
  if (value === null) return [];
  if (!Array.isArray(value) || value.length > maxFilters) {
    throw new ZarrError("corrupt", `${where}: filters are no list of at most ${maxFilters}`);
  }
  return value.map((entry) => named(entry, where));
}

function named(value: Json, where: string): { id: string; config: JsonObject } {
  const id = isObject(value) ? field(value, "id") : undefined;
  if (typeof id === "string") return { id, config: value as JsonObject };
  throw new ZarrError("corrupt", `${where}: a codec without id`);
}
