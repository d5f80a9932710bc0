import type { Pipeline } from "../codecs/codec.ts";
import { parsePipelineV2 } from "../codecs/parse-v2.ts";
import { codecNames, parsePipelineV3 } from "../codecs/parse-v3.ts";
import { ZarrError } from "../errors.ts";
import type { Json, JsonObject, ZarrArray, ZarrGroup, ZarrType } from "../types.ts";
import { fillBytes, fillVariable } from "./fill.ts";
import { field, isObject, show } from "./json.ts";
import { under } from "./path.ts";
import { elementBytes, parseTypeV3 } from "./type.ts";

/** An array with everything that reading needs. */
export interface ArrayPlan {
  node: ZarrArray;
  /** Shape of one stored object: the shard, or the chunk. */
  grid: readonly number[];
  pipeline: Pipeline;
  fill: Uint8Array | string;
  itemBytes: number | undefined;
  keyOf(index: readonly number[]): string;
}

const maxRank = 32;

export function groupV2(
  path: string,
  doc: JsonObject,
  attributes: Json | undefined,
  where: string,
): ZarrGroup {
  checkFormat(doc, 2, where);
  return { kind: "group", path: `/${path}`, format: 2, attributes: attributesOf(attributes, where) };
}

export function arrayV2(
  path: string,
  doc: JsonObject,
  attributes: Json | undefined,
  where: string,
): ArrayPlan {
  checkFormat(doc, 2, where);
  const shape = dims(field(doc, "shape"), "shape", 0, where);
  const chunks = dims(field(doc, "chunks"), "chunks", 1, where, shape.length);
  const { type, pipeline } = parsePipelineV2(doc, shape.length, where);
  const separator = field(doc, "dimension_separator") ?? ".";
  if (separator !== "." && separator !== "/") {
    throw new ZarrError("corrupt", `${where}: dimension_separator ${show(separator)}`);
  }
  return plan(path, 2, doc, shape, chunks, type, pipeline, attributesOf(attributes, where), where, (index) =>
    index.length === 0 ? "0" : index.join(separator),
  );
}

/** A zarr.json of either kind. */
export function nodeV3(path: string, doc: JsonObject, where: string): ArrayPlan | ZarrGroup {
  checkFormat(doc, 3, where);
  const attributes = attributesOf(field(doc, "attributes"), where);
  const kind = field(doc, "node_type");
  if (kind === "group") return { kind: "group", path: `/${path}`, format: 3, attributes };
  if (kind !== "array") throw new ZarrError("corrupt", `${where}: node_type ${show(kind)}`);
  const shape = dims(field(doc, "shape"), "shape", 0, where);
  const type = parseTypeV3(field(doc, "data_type") ?? null, where);
  const grid = named(field(doc, "chunk_grid"), "chunk_grid", where);
  if (grid.name !== "regular") throw new ZarrError("unsupported", `${where}: the chunk grid ${grid.name}`);
  const chunks = dims(field(grid.config, "chunk_shape"), "chunk_shape", 1, where, shape.length);
  const pipeline = parsePipelineV3(field(doc, "codecs"), chunks, type, where);
  const transformers = field(doc, "storage_transformers");
  if (Array.isArray(transformers) && transformers.length > 0) {
    throw new ZarrError("unsupported", `${where}: storage transformers`);
  }
  return plan(path, 3, doc, shape, chunks, type, pipeline, attributes, where, chunkKeysV3(doc, where));
}

function chunkKeysV3(doc: JsonObject, where: string): (index: readonly number[]) => string {
  const encoding = named(field(doc, "chunk_key_encoding"), "chunk_key_encoding", where);
  const separator = field(encoding.config, "separator") ?? (encoding.name === "v2" ? "." : "/");
  if ((encoding.name !== "default" && encoding.name !== "v2") || (separator !== "." && separator !== "/")) {
    throw new ZarrError(
      "unsupported",
      `${where}: the chunk key encoding ${encoding.name} with ${show(separator)}`,
    );
  }
  if (encoding.name === "v2") return (index) => (index.length === 0 ? "0" : index.join(separator));
  return (index) => ["c", ...index].join(separator);
}

function plan(
  path: string,
  format: 2 | 3,
  doc: JsonObject,
  shape: number[],
  grid: number[],
  type: ZarrType,
  pipeline: Pipeline,
  attributes: JsonObject,
  where: string,
  chunkName: (index: readonly number[]) => string,
): ArrayPlan {
  const fillValue = field(doc, "fill_value") ?? null;
  const names = field(doc, "dimension_names");
  const itemBytes = elementBytes(type);
  const sharded = pipeline.serializer.kind === "shards";
  return {
    node: {
      kind: "array",
      path: `/${path}`,
      format,
      shape,
      chunks: innermost(pipeline, grid),
      shards: sharded ? grid : undefined,
      type,
      fillValue,
      dimensionNames: Array.isArray(names)
        ? names.map((name) => (typeof name === "string" ? name : null))
        : undefined,
      codecs: codecNames(pipeline),
      attributes,
    },
    grid,
    pipeline,
    fill:
      itemBytes === undefined
        ? fillVariable(fillValue, type.kind === "string" ? "strings" : "byte-strings")
        : fillBytes(fillValue, type, where),
    itemBytes,
    keyOf: (index) => under(path, chunkName(index)),
  };
}

function innermost(pipeline: Pipeline, grid: number[]): number[] {
  const { serializer } = pipeline;
  return serializer.kind === "shards" ? innermost(serializer.inner, [...serializer.chunks]) : grid;
}

function dims(value: Json | undefined, name: string, least: number, where: string, rank?: number): number[] {
  const valid =
    Array.isArray(value) &&
    value.length <= maxRank &&
    (rank === undefined || value.length === rank) &&
    value.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= least);
  if (valid) return value as number[];
  const wanted = rank === undefined ? `at most ${maxRank}` : `${rank}`;
  throw new ZarrError(
    "corrupt",
    `${where}: ${name} is ${show(value)}, expected ${wanted} integers from ${least}`,
  );
}

function named(value: Json | undefined, what: string, where: string): { name: string; config: JsonObject } {
  if (typeof value === "string") return { name: value, config: {} };
  const name = isObject(value) ? field(value, "name") : undefined;
  const config = isObject(value) ? field(value, "configuration") : undefined;
  if (typeof name === "string") return { name, config: isObject(config) ? config : {} };
  throw new ZarrError("corrupt", `${where}: ${what} has no name`);
}

function attributesOf(value: Json | undefined, where: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (isObject(value)) return value;
  throw new ZarrError("corrupt", `${where}: attributes are no object`);
}

function checkFormat(doc: JsonObject, expected: 2 | 3, where: string): void {
  const found = field(doc, "zarr_format");
  if (found === expected) return;
  throw new ZarrError("corrupt", `${where}: zarr_format ${show(found)}, expected ${expected}`);
}
