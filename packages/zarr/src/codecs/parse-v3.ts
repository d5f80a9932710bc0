import { ZarrError } from "../errors.ts";
import { field, isObject, show } from "../meta/json.ts";
import { elementBytes, swapUnit } from "../meta/type.ts";
import type { Json, JsonObject, ZarrType } from "../types.ts";
import type { ArrayCodec, BytesCodec, Pipeline, Serializer } from "./codec.ts";
import { bytesCodec, numberCodec } from "./registry.ts";

const limits = { codecs: 16, nesting: 4 };

/** The codec chain of a v3 array (or of the chunks or index of a shard) over chunks of `shape`. */
export function parsePipelineV3(
  value: Json | undefined,
  shape: readonly number[],
  elementType: ZarrType,
  where: string,
  nesting = 0,
): Pipeline {
  if (!Array.isArray(value) || value.length === 0 || value.length > limits.codecs) {
    throw new ZarrError("corrupt", `${where}: codecs are no list of 1 to ${limits.codecs}`);
  }
  const arrays: ArrayCodec[] = [];
  const bytes: BytesCodec[] = [];
  let serializer: Serializer | undefined;
  let type = elementType;
  let sides = shape;
  for (const entry of value) {
    const { name, config } = named(entry, where);
    const plain = name.startsWith("numcodecs.") ? name.slice("numcodecs.".length) : name;
    if (serializer !== undefined) {
      bytes.push(bytesCodec(plain, config, where));
      continue;
    }
    const numbers = numberCodec(plain, config, where);
    if (plain === "transpose") {
      const transpose = permutation(field(config, "order"), shape.length, where);
      arrays.push({ name: plain, transpose });
      sides = transpose.map((axis) => sides[axis]!);
    } else if (numbers !== undefined) {
      // Here values stand in the machine's order; the byte order of the configuration does not matter.
      type = numbers.encoded?.type ?? type;
      arrays.push({ name: plain, numbers: nativeNumbers(plain, config, where), encodedType: type });
    } else {
      serializer = parseSerializer(plain, config, sides, type, where, nesting);
    }
  }
  if (serializer === undefined)
    throw new ZarrError("corrupt", `${where}: no codec turns elements into bytes`);
  return { arrays, serializer, bytes };
}

function nativeNumbers(name: string, config: JsonObject, where: string): BytesCodec {
  const native = Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      typeof value === "string" ? value.replace(/^[>=]/, "<") : value,
    ]),
  );
  return numberCodec(name, native, where)!.codec;
}

function parseSerializer(
  name: string,
  config: JsonObject,
  shape: readonly number[],
  type: ZarrType,
  where: string,
  nesting: number,
): Serializer {
  const itemBytes = elementBytes(type);
  if (name === "bytes" || name === "endian") {
    if (itemBytes === undefined)
      throw new ZarrError("corrupt", `${where}: the codec bytes over ${type.kind}`);
    const endian = field(config, "endian") ?? "little";
    if (endian !== "little" && endian !== "big") {
      throw new ZarrError("corrupt", `${where}: endian ${show(endian)}`);
    }
    if (type.kind === "struct" && endian === "big") {
      throw new ZarrError("unsupported", `${where}: big-endian structs of zarr v3`);
    }
    return { name: "bytes", kind: "fixed", swap: endian === "big" ? swapUnit(type) : 1, itemBytes };
  }
  if (name === "vlen-utf8" || name === "vlen-bytes") {
    const kind = name === "vlen-utf8" ? "strings" : "byte-strings";
    if (type.kind !== (kind === "strings" ? "string" : "bytes")) {
      throw new ZarrError("corrupt", `${where}: the codec ${name} over ${type.kind}`);
    }
    return { name, kind };
  }
  if (name !== "sharding_indexed") {
    bytesCodec(name, config, where); // names what is unknown
    throw new ZarrError("corrupt", `${where}: the codec ${name} stands before the elements are bytes`);
  }
  if (nesting >= limits.nesting)
    throw new ZarrError("unsupported", `${where}: shards nested deeper than ${limits.nesting}`);
  return parseSharding(config, shape, type, where, nesting);
}

function parseSharding(
  config: JsonObject,
  shape: readonly number[],
  type: ZarrType,
  where: string,
  nesting: number,
): Serializer {
  const chunks = field(config, "chunk_shape");
  const fits =
    Array.isArray(chunks) &&
    chunks.length === shape.length &&
    chunks.every(
      (side, axis) =>
        Number.isSafeInteger(side) && (side as number) > 0 && shape[axis]! % (side as number) === 0,
    );
  if (!fits) {
    throw new ZarrError(
      "corrupt",
      `${where}: shards of [${shape}] do not divide into chunks of ${show(chunks)}`,
    );
  }
  const sides = chunks as number[];
  const grid = sides.map((side, axis) => shape[axis]! / side);
  const indexAt = field(config, "index_location") ?? "end";
  if (indexAt !== "start" && indexAt !== "end") {
    throw new ZarrError("corrupt", `${where}: index_location ${show(indexAt)}`);
  }
  const offsets: ZarrType = { kind: "int", size: 8, signed: false };
  const index = parsePipelineV3(
    field(config, "index_codecs"),
    [...grid, 2],
    offsets,
    `${where}, shard index`,
    nesting + 1,
  );
  if (index.serializer.kind !== "fixed" || index.bytes.some((codec) => codec.encodedSize === undefined)) {
    throw new ZarrError("unsupported", `${where}: a shard index whose size depends on its content`);
  }
  const inner = parsePipelineV3(
    field(config, "codecs"),
    sides,
    type,
    `${where}, chunks of a shard`,
    nesting + 1,
  );
  return {
    name: "sharding_indexed",
    kind: "shards",
    chunks: sides,
    inner,
    index,
    indexAt,
    indexBytes: (count) => index.bytes.reduce((size, codec) => codec.encodedSize!(size), count * 16),
  };
}

function permutation(value: Json | undefined, rank: number, where: string): number[] {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  if (value === "C") return axes;
  if (value === "F") return axes.reverse();
  if (Array.isArray(value) && value.length === rank && axes.every((axis) => value.includes(axis))) {
    return value as number[];
  }
  throw new ZarrError("corrupt", `${where}: transpose order ${show(value)} for ${rank} axes`);
}

function named(value: Json, where: string): { name: string; config: JsonObject } {
  if (typeof value === "string") return { name: value, config: {} };
  const name = isObject(value) ? field(value, "name") : undefined;
  const config = isObject(value) ? field(value, "configuration") : undefined;
  if (typeof name === "string") return { name, config: isObject(config) ? config : {} };
  throw new ZarrError("corrupt", `${where}: a codec without name`);
}

/** For people: the names in order, those inside a shard in parentheses. */
export function codecNames(pipeline: Pipeline): string[] {
  const { arrays, serializer, bytes } = pipeline;
  const name =
    serializer.kind === "shards"
      ? `${serializer.name}(${codecNames(serializer.inner).join(", ")})`
      : serializer.name;
  return [...arrays.map((codec) => codec.name), name, ...bytes.map((codec) => codec.name)];
}
