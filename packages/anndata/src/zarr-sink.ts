import type { AttributeInput, H5Numbers } from "@cytomesh/hdf5";
import { createZarr, type Json, type ZarrField, type ZarrType, type ZarrValues } from "@cytomesh/zarr";
import { isBooleanEnum } from "./columns.ts";
import { AnnDataError } from "./errors.ts";
import { asAnnDataError, typed } from "./source.ts";
import type { ArrayLayout, Sink, SinkOptions, Values, ValueType } from "./storage.ts";

/**
 * A zarr v3 hierarchy as a sink: sharded, zstd, metadata consolidated; a folder, or a zip file when the path ends in ".zip". Written
 * beside the target under a temporary name and renamed by `finish`.
 *
 * @throws AnnDataError "invalid-argument" | "permission-denied" | "write-failed"
 */
export function createZarrSink(path: string, options: SinkOptions = {}): Sink {
  // "gzip" is what .h5ad is compressed with by default; here its place is taken by what zarr v3 uses.
  const compression = options.compression === "none" ? "none" : "zstd";
  const level = options.level === undefined ? {} : { level: options.level };
  const out = typed(() => createZarr(path, { compression, ...level }));
  return {
    format: "zarr",
    group: (where) => typed(() => out.group(where)),
    attribute: (where, name, value) => typed(() => out.attribute(where, name, toJson(value))),
    dataset: (where, layout, values) =>
      translated(async () => {
        if (layout.shape === undefined) {
          // Zarr has no dataset that holds nothing; anndata takes a boolean for it.
          return out.array(where, { type: { kind: "bool" }, shape: [] }, Uint8Array.of(0));
        }
        const type = toZarrType(layout.type, values, where);
        await out.array(where, { ...layoutOf(layout), type, shape: layout.shape }, toZarrValues(values));
      }),
    appendable: (where, layout) => {
      const type = toZarrType(layout.type, undefined, where);
      const array = typed(() => out.appendable(where, { ...layoutOf(layout), type, shape: layout.shape }));
      return { append: (values) => translated(() => array.append(toZarrValues(values))) };
    },
    finish: () => translated(() => out.finish()),
    abort: () => translated(() => out.abort()),
  };
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asAnnDataError(error);
  }
}

function layoutOf(layout: ArrayLayout): { chunkRows?: number } {
  return layout.chunkRows === undefined ? {} : { chunkRows: layout.chunkRows };
}

/** Strings in records have a fixed length in zarr: that of the longest value. */
function toZarrType(type: ValueType, values: Values | undefined, where: string): ZarrType {
  if (type.kind === "int" || type.kind === "float") return type;
  if (type.kind === "string") return { kind: "string" };
  if (isBooleanEnum(type)) return { kind: "bool" };
  if (type.kind === "enum") return type.base;
  if (type.kind === "compound" && values instanceof Map) {
    const fields: ZarrField[] = [];
    let offset = 0;
    for (const member of type.members) {
      const column = values.get(member.name);
      const inner = fieldType(member.type, column, `${where}.${member.name}`);
      fields.push({ name: member.name, offset, type: inner, bigEndian: false, shape: [] });
      offset += inner.kind === "fixed-string" ? inner.size * 4 : inner.kind === "bool" ? 1 : sizeOf(inner);
    }
    return { kind: "struct", size: offset, fields };
  }
  const description = type.kind === "other" ? type.description : type.kind;
  throw new AnnDataError("unsupported", `${where} holds ${description}, which zarr has no type for`);
}

function fieldType(type: ValueType, column: Values | undefined, where: string): ZarrType {
  if (type.kind !== "string") return toZarrType(type, column, where);
  const longest = Math.max(1, ...(column as string[]).map((value) => [...value].length));
  return { kind: "fixed-string", size: longest };
}

function sizeOf(type: ZarrType): number {
  return "size" in type ? type.size : 0;
}

function toZarrValues(values: Values): ZarrValues {
  return values as ZarrValues;
}

/** Attributes are JSON here; numbers of one element stay lists when their shape says so. */
function toJson(value: AttributeInput): Json {
  if (typeof value !== "object") return value;
  const { shape, values } = value;
  if (shape === undefined) return null;
  const list = Array.isArray(values) ? [...values] : Array.from(values as H5Numbers as Float64Array, plain);
  const items: Json[] = isBooleanEnum(value.type) ? list.map((item) => item !== 0) : list;
  return shape.length === 0 ? (items[0] ?? null) : items;
}

function plain(value: number | bigint): number | bigint {
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
