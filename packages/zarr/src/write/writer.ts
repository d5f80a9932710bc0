import { ZarrError } from "../errors.ts";
import { normalPath, under } from "../meta/path.ts";
import type { Json, JsonObject, ZarrValues } from "../types.ts";
import { type AppendableArray, type ArrayInput, ArrayWriter } from "./array-writer.ts";
import { compressor } from "./compress.ts";
import { objectSink } from "./objects.ts";

/** How a hierarchy is stored; nothing has to be said. */
export interface WriterOptions {
  /** Default: whether the path ends in ".zip". */
  zip?: boolean;
  /** Default "zstd". */
  compression?: "zstd" | "gzip" | "none";
  /** zstd 1–22, gzip 1–9; default 1. */
  level?: number;
  /** Uncompressed bytes that a shard holds at most, default 1 GB, as anndata writes them. */
  shardBytes?: number;
}

/**
 * A zarr v3 hierarchy being written. Groups come before what they hold, attributes any time after their node. The bytes depend on nothing
 * but the calls (and the release of Node, whose zstd compresses). Nothing stands under the target's name before `finish` resolves.
 */
export interface ZarrWriter {
  group(path: string, attributes?: JsonObject): void;
  attribute(path: string, name: string, value: Json): void;
  array(path: string, input: ArrayInput, values: ZarrValues): Promise<void>;
  appendable(path: string, input: ArrayInput): AppendableArray;
  /** Writes what is pending, consolidates the metadata and renames the result into place. */
  finish(): Promise<void>;
  /** Removes what was written; harmless after `finish`. */
  abort(): Promise<void>;
}

const defaultShardBytes = 1_000_000_000;

interface Entry {
  attributes: JsonObject;
  /** undefined: a group. */
  document?: JsonObject;
  array?: ArrayWriter;
}

/**
 * Begins a hierarchy in a folder or zip file; the root is a group. What stands at the path is replaced at the end, if it is a file or
 * another hierarchy.
 *
 * @throws ZarrError "invalid-argument" | "permission-denied" | "write-failed"
 */
export function createZarr(path: string, options: WriterOptions = {}): ZarrWriter {
  const compress = compressor(options.compression ?? "zstd", options.level);
  const shardBytes = options.shardBytes ?? defaultShardBytes;
  if (!(shardBytes > 0)) throw new ZarrError("invalid-argument", `shards of ${shardBytes} bytes`);
  const sink = objectSink(path, options.zip ?? path.endsWith(".zip"));
  const entries = new Map<string, Entry>([["", { attributes: {} }]]);
  let open = true;
  const usable = () => {
    if (!open) throw new ZarrError("closed", `${path} is finished`);
  };
  const add = (at: string, entry: Entry): void => {
    usable();
    const key = normalPath(at);
    const parent = entries.get(key.slice(0, Math.max(0, key.lastIndexOf("/"))));
    if (entries.has(key)) throw new ZarrError("invalid-argument", `${at} is there already`);
    if (parent === undefined || parent.array !== undefined) {
      throw new ZarrError("invalid-argument", `${at}: the group around it is not there`);
    }
    entries.set(key, entry);
  };
  const appendable = (at: string, input: ArrayInput): ArrayWriter => {
    const array = new ArrayWriter(normalPath(at), input, sink, { compressor: compress, shardBytes });
    add(at, { attributes: {}, array });
    return array;
  };
  return {
    group(at, attributes = {}) {
      if (normalPath(at) === "") Object.assign(entries.get("")!.attributes, attributes);
      else add(at, { attributes: { ...attributes } });
    },
    attribute(at, name, value) {
      usable();
      const entry = entries.get(normalPath(at));
      if (entry === undefined) throw new ZarrError("invalid-argument", `${at} is not there`);
      entry.attributes[name] = value;
    },
    async array(at, input, values) {
      const array = appendable(at, input);
      await array.append(values);
      const entry = entries.get(normalPath(at))!;
      entry.document = checkRows(await array.finish(), input.shape, at);
    },
    appendable,
    async finish() {
      usable();
      for (const entry of entries.values()) {
        if (entry.array !== undefined) entry.document ??= await entry.array.finish();
      }
      writeMetadata(entries, (key, text) => {
        const object = sink.object(key);
        object.write(new TextEncoder().encode(text));
        object.end();
      });
      sink.finish();
      open = false;
    },
    async abort() {
      if (!open) return;
      open = false;
      sink.abort();
    },
  };
}

/** Whole arrays must have the rows that their shape says. */
function checkRows(document: JsonObject, shape: readonly number[], at: string): JsonObject {
  const rows = shape[0];
  const found = (document.shape as number[])[0];
  if (rows === undefined || found === rows || shape.includes(0)) return { ...document, shape: [...shape] };
  throw new ZarrError("invalid-argument", `${at}: ${found} rows of values, the shape says ${rows}`);
}

/** Every node's zarr.json, and all of them once more in the root's, so that a reader needs one request for all metadata. */
function writeMetadata(entries: ReadonlyMap<string, Entry>, put: (key: string, text: string) => void): void {
  const documents = new Map<string, JsonObject>();
  for (const [path, { attributes, document }] of entries) {
    const node = document ?? { zarr_format: 3, node_type: "group" };
    documents.set(path, { ...node, attributes: sorted(attributes) });
  }
  const root = documents.get("")!;
  documents.delete("");
  for (const [path, document] of documents) put(under(path, "zarr.json"), toJson(document));
  const metadata = Object.fromEntries([...documents].sort(([a], [b]) => (a < b ? -1 : 1)));
  put(
    "zarr.json",
    toJson({ ...root, consolidated_metadata: { kind: "inline", must_understand: false, metadata } }),
  );
}

function sorted(attributes: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** JSON with bare NaN and infinities, as Python writes and reads them, and BigInt as whole numbers. */
function toJson(value: Json): string {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${value.map(toJson).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value)
      .map(([key, inner]) => `${JSON.stringify(key)}:${toJson(inner)}`)
      .join(",")}}`;
  }
  return JSON.stringify(value);
}
