/** JSON as metadata holds it. NaN and infinities stand bare in Python's JSON; integers beyond 2^53 arrive as BigInt. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };
/** Attributes of a node. */
export type JsonObject = { [key: string]: Json };

/** What an element is. Byte order on disk does not show: values always arrive in the machine's order. */
export type ZarrType =
  | { kind: "bool" }
  | { kind: "int"; size: 1 | 2 | 4 | 8; signed: boolean }
  | { kind: "float"; size: 2 | 4 | 8 }
  /** Values arrive as pairs, real before imaginary. */
  | { kind: "complex"; size: 8 | 16 }
  /** numpy datetime64 and timedelta64: int64 counts of `unit`. */
  | { kind: "time"; what: "datetime" | "timedelta"; unit: string }
  /** Fixed width: `size` code points (numpy U), padded with NUL. */
  | { kind: "fixed-string"; size: number }
  /** Fixed width: `size` bytes (numpy S, V; zarr r*). */
  | { kind: "fixed-bytes"; size: number; text: boolean }
  | { kind: "string" }
  | { kind: "bytes" }
  | { kind: "struct"; size: number; fields: ZarrField[] };

/** A field of a struct. */
export interface ZarrField {
  name: string;
  /** Byte offset inside one element. */
  offset: number;
  type: ZarrType;
  /** Stored big-endian; only structs keep the order per field. */
  bigEndian: boolean;
  /** [] for one value; otherwise a small array, whose values arrive flat. */
  shape: number[];
}

/** float16 is widened to Float32Array, bool is 0 and 1, integers of 8 bytes and times stay BigInt. */
export type ZarrNumbers =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** Numbers as typed arrays, strings as arrays (also fixed-bytes that are text), bytes as arrays of Uint8Array, structs by field. */
export type ZarrValues = ZarrNumbers | string[] | Uint8Array[] | Map<string, ZarrValues>;

/** An array as its metadata describes it; nothing of its values is read. */
export interface ZarrArray {
  kind: "array";
  /** Absolute, "/" for the root. */
  path: string;
  format: 2 | 3;
  shape: number[];
  /** Smallest part that can be decoded on its own: the inner chunk of a sharded array. */
  chunks: number[];
  /** The outer chunk when sharded. */
  shards: number[] | undefined;
  type: ZarrType;
  /** As in the metadata, null where it says nothing. */
  fillValue: Json;
  /** v3 only. */
  dimensionNames: (string | null)[] | undefined;
  /** Names of the codecs, in the order of writing; those inside a shard in parentheses. */
  codecs: string[];
  attributes: JsonObject;
}

/** A group with its attributes. */
export interface ZarrGroup {
  kind: "group";
  path: string;
  format: 2 | 3;
  attributes: JsonObject;
}

/** What stands at a path; tell them apart by `kind`. */
export type ZarrNode = ZarrArray | ZarrGroup;

/** Half-open box, one pair for each axis. */
export interface Region {
  start: readonly number[];
  end: readonly number[];
}

/** Bytes `start` to `end` of an object (clamped), or its last `suffix` bytes. */
export type ByteRange = { start: number; end: number } | { suffix: number };

/** What a remote hierarchy must offer. Keys have no leading slash; undefined when there is no such object. */
export interface AsyncStore {
  get(
    key: string,
    range?: ByteRange,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Uint8Array | undefined>;
  /** Names of what lies directly under a prefix ("" or "a/b/"); without it, children need consolidated metadata. */
  list?(prefix: string): Promise<string[]>;
}

/** The same over local bytes. */
export interface SyncStore {
  get(key: string, range?: ByteRange): Uint8Array | undefined;
  list(prefix: string): string[];
  close(): void;
}

/** How a hierarchy is read; nothing has to be said. */
export interface ReadOptions {
  /** Largest result of one read and largest chunk, in bytes, default 1 GiB. */
  maxBytes?: number;
}

/** A hierarchy open for reading. All calls are synchronous and throw ZarrError. Paths are "/a/b" or "a/b"; "/" is the root. */
export interface ZarrReader {
  readonly path: string;
  readonly format: 2 | 3;
  /** undefined when nothing is there. */
  node(path: string): ZarrNode | undefined;
  /** Names below a group, sorted by code unit; [] for an array. */
  children(path: string): string[];
  /** Row-major values of a region (default: everything); a zero-dimensional array is one element. */
  read(path: string, region?: Region): ZarrValues;
  close(): void;
  /** `close`, for `using`. */
  [Symbol.dispose](): void;
}

/** The same over a store that answers later; calls reject with ZarrError or with what `get` rejects with. */
export interface AsyncZarrReader {
  readonly format: 2 | 3;
  node(path: string): Promise<ZarrNode | undefined>;
  children(path: string): Promise<string[]>;
  read(path: string, region?: Region, options?: { signal?: AbortSignal | undefined }): Promise<ZarrValues>;
}
