import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  type Json,
  openParallel,
  openZarr,
  type ParallelReader,
  type ZarrReader,
  type ZarrType,
  type ZarrValues,
} from "@cytomesh/zarr";
import { booleanType } from "./dtypes.ts";
import { AnnDataError } from "./errors.ts";
import { asAnnDataError, typed } from "./source.ts";
import type { ArrayInfo, Attribute, ParallelOptions, Source, Values, ValueType } from "./storage.ts";

/** What stands at the root of a hierarchy. */
const markers = ["zarr.json", ".zgroup", ".zmetadata", ".zarray"];

/** A folder that is or should be a hierarchy, or a zip file. */
export function looksLikeZarr(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory()) {
    return path.replace(/\/+$/, "").endsWith(".zarr") || markers.some((name) => isFile(join(path, name)));
  }
  return stats?.isFile() === true && startsLikeZip(path);
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

function startsLikeZip(path: string): boolean {
  try {
    const fd = openSync(path, "r");
    try {
      const bytes = Buffer.alloc(4);
      return (
        readSync(fd, bytes, 0, 4, 0) === 4 &&
        ["PK\u0003\u0004", "PK\u0005\u0006"].includes(bytes.toString("latin1"))
      );
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // whoever opens it next says what is wrong
  }
}

/**
 * A zarr hierarchy (v2 or v3; folder or zip) as a source; every call throws AnnDataError.
 *
 * @throws AnnDataError
 */
export function openZarrSource(path: string, maxBytes: number): Source {
  return typed(() => zarrSource(openZarr(path, { maxBytes }), maxBytes));
}

function zarrSource(reader: ZarrReader, maxBytes: number): Source {
  const node = (where: string) => typed(() => reader.node(where));
  const array = (where: string) => {
    const found = node(where);
    if (found?.kind === "array") return found;
    throw new AnnDataError(
      "not-found",
      `${reader.path}: ${where} is ${found === undefined ? "not there" : "a group"}`,
    );
  };
  const attributes = (where: string) => {
    const found = node(where);
    if (found !== undefined) return found.attributes;
    throw new AnnDataError("not-found", `${reader.path}: ${where} is not there`);
  };
  let parallel: { reader: ParallelReader; threads: number | undefined } | undefined;
  const readParallel = async (
    info: ArrayInfo,
    start: number,
    end: number,
    { threads, signal, into }: ParallelOptions & { into?: SharedArrayBuffer },
  ) => {
    const { type } = array(info.path);
    try {
      if (parallel?.threads !== threads) await parallel?.reader.close();
      const started = parallel?.threads === threads ? parallel : undefined;
      const count = threads === undefined ? {} : { threads };
      parallel = started ?? { reader: openParallel(reader.path, { maxBytes, ...count }), threads };
      return toHdf5Values(
        await parallel.reader.read(info.path, start, end, { signal, into }),
        type,
        info.path,
      );
    } catch (error) {
      throw asAnnDataError(error);
    }
  };
  return {
    format: "zarr",
    path: reader.path,
    kind: (where) => {
      const kind = node(where)?.kind;
      return kind === "array" ? "dataset" : kind;
    },
    // There are no links: a path names itself.
    realPath: (where) => node(where)?.path,
    children: (where) => typed(() => reader.children(where)),
    attributeNames: (where) => Object.keys(attributes(where)),
    attribute: (where, name) => {
      const all = attributes(where);
      return Object.hasOwn(all, name) ? toAttribute(all[name]!) : undefined;
    },
    dataset: (where) => {
      const { path, type, shape, chunks } = array(where);
      return { path, type: toValueType(type), shape, chunks };
    },
    read: (info, start, end) => readRows(reader, info, array(info.path).type, start, end),
    readParallel,
    close: () => {
      void parallel?.reader.close();
      typed(() => reader.close());
    },
  };
}

function readRows(
  reader: ZarrReader,
  info: ArrayInfo,
  type: ZarrType,
  start: number | undefined,
  end: number | undefined,
): Values {
  return typed(() => {
    const shape = info.shape ?? [];
    if (shape.length === 0 || (start === undefined && end === undefined)) {
      return toHdf5Values(reader.read(info.path), type, info.path);
    }
    const region = {
      start: [start ?? 0, ...shape.slice(1).map(() => 0)],
      end: [end ?? shape[0]!, ...shape.slice(1)],
    };
    return toHdf5Values(reader.read(info.path, region), type, info.path);
  });
}

/** Types in the words of HDF5. Times, complex numbers and byte strings have none there. */
function toValueType(type: ZarrType): ValueType {
  switch (type.kind) {
    case "bool":
      return booleanType;
    case "int":
    case "float":
      return type;
    case "string":
      return { kind: "string", size: "variable", utf8: true };
    case "fixed-string":
      return { kind: "string", size: type.size * 4, utf8: true };
    case "fixed-bytes":
      return type.text
        ? { kind: "string", size: type.size, utf8: true }
        : { kind: "other", description: `raw elements of ${type.size} bytes` };
    case "struct":
      return {
        kind: "compound",
        size: type.size,
        members: type.fields.map(({ name, offset, type: inner, shape }) => {
          const base = toValueType(inner);
          if (shape.length === 0) return { name, offset, type: base };
          const size = shape.reduce((product, side) => product * side, bytesOf(inner));
          return { name, offset, type: { kind: "array", size, dims: shape, base } };
        }),
      };
    case "time":
      return { kind: "other", description: `numpy ${type.what}64[${type.unit}]` };
    case "complex":
      return { kind: "other", description: `complex${type.size * 8}` };
    case "bytes":
      return { kind: "other", description: "byte strings" };
  }
}

function bytesOf(type: ZarrType): number {
  if (type.kind === "bool") return 1;
  if (type.kind === "fixed-string") return type.size * 4;
  return "size" in type ? type.size : 8;
}

function toHdf5Values(values: ZarrValues, type: ZarrType, where: string): Values {
  if (type.kind === "bytes" || (type.kind === "fixed-bytes" && !type.text)) {
    throw new AnnDataError("unsupported", `${where} holds bytes that are no text`);
  }
  if (values instanceof Map && type.kind === "struct") {
    return new Map(
      type.fields.map((field) => [
        field.name,
        toHdf5Values(values.get(field.name)!, field.type, `${where}.${field.name}`),
      ]),
    );
  }
  return values as Values;
}

/**
 * JSON in the words of HDF5: strings and lists of strings, whole numbers as int64, others as float64, booleans. A list of nothing is
 * zero floats, as anndata writes it in HDF5; what HDF5 has no word for is its JSON text.
 */
function toAttribute(value: Json): Attribute {
  const list = Array.isArray(value) ? value : [value];
  const shape = Array.isArray(value) ? [list.length] : [];
  if (value === null)
    return { type: { kind: "float", size: 4 }, shape: undefined, values: new Float32Array(0) };
  if (list.length > 0 && list.every((item) => typeof item === "string")) {
    return { type: { kind: "string", size: "variable", utf8: true }, shape, values: list };
  }
  if (list.length > 0 && list.every((item) => typeof item === "boolean")) {
    return { type: booleanType, shape, values: Uint8Array.from(list, Number) };
  }
  const whole = (item: Json) => typeof item === "bigint" || Number.isSafeInteger(item);
  if (list.length > 0 && list.every(whole)) {
    const values = BigInt64Array.from(list as (number | bigint)[], (item) => BigInt(item));
    return { type: { kind: "int", size: 8, signed: true }, shape, values };
  }
  if (list.every((item) => typeof item === "number" || typeof item === "bigint")) {
    return { type: { kind: "float", size: 8 }, shape, values: Float64Array.from(list, Number) };
  }
  const text = JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part));
  return { type: { kind: "string", size: "variable", utf8: true }, shape: [], values: [text] };
}
