import type { AttributeInput, H5Attribute, H5Kind, H5Type, H5Values } from "@cytomesh/hdf5";

/** How the files of one AnnData object are stored. Everything above this file is the same for both. */
export type StorageFormat = "h5ad" | "zarr";

/** What one element of an array is; zarr dtypes are told in the same words. */
export type ValueType = H5Type;

/** Numbers and booleans as typed arrays (64-bit integers as BigInt, float16 widened to Float32Array), strings as lists, records as one entry per member. */
export type Values = H5Values;

/** What is written on a group or array. */
export type Attribute = H5Attribute;

/** An array in the store, not yet read. */
export interface ArrayInfo {
  /** Absolute, links resolved. */
  readonly path: string;
  readonly type: ValueType;
  /** [] for a scalar, undefined for one that holds nothing (HDF5's null dataspace). */
  readonly shape: number[] | undefined;
  /** Shape of a chunk; undefined when stored in one piece. */
  readonly chunks: number[] | undefined;
}

/**
 * A tree of groups and arrays open for reading: an HDF5 file or a zarr hierarchy. Paths are absolute ("/obs/_index"). Calls are
 * synchronous and throw AnnDataError; they hold no more than what they return plus a few chunks.
 */
export interface Source {
  readonly format: StorageFormat;
  readonly path: string;
  /** More groups and arrays than this are not in it, but links may lead to some of them on many ways; undefined when unknown. */
  readonly mostObjects?: number;
  /** undefined when nothing is there. */
  kind(where: string): H5Kind | undefined;
  /** The path with links replaced; undefined when nothing is there. Two paths with one real path are one object. */
  realPath(where: string): string | undefined;
  /** Names in a group. */
  children(where: string): string[];
  attributeNames(where: string): string[];
  attribute(where: string, name: string): Attribute | undefined;
  /** @throws AnnDataError "not-found" | "too-large" when the declared shape cannot be true for a store of this size */
  dataset(where: string): ArrayInfo;
  /**
   * Elements of rows `start` to `end` along the first axis (default: all), row-major; a scalar is one element. Numbers may be put `into`
   * memory of the caller's, which begins at 0 of its buffer.
   */
  read(info: ArrayInfo, start?: number, end?: number, into?: Uint8Array<ArrayBuffer>): Values;
  /**
   * The same by several threads, where the store can; when absent, `read` is all there is. Numbers may be put `into` memory of the caller's
   * that holds as many bytes as they have in the store.
   */
  readParallel?(
    info: ArrayInfo,
    start: number,
    end: number,
    options: ParallelOptions & { into?: SharedArrayBuffer | undefined },
  ): Promise<Values>;
  close(): void;
}

/** For what several threads do. */
export interface ParallelOptions {
  /** Default: one per core. */
  threads?: number;
  signal?: AbortSignal;
}

/** How an array is to be stored; chunks and filters are the sink's own choice where this is silent. */
export interface ArrayLayout {
  type: ValueType;
  /** [] for a scalar, undefined for one that holds nothing. */
  shape: readonly number[] | undefined;
  /** Rows per chunk. */
  chunkRows?: number;
}

/** An array that grows along its first axis. Await every append: it is how the sink slows the caller down. */
export interface Appendable {
  append(values: Values): Promise<void>;
}

/**
 * A tree being written. Groups come before what they hold, attributes any time after their node and before `finish`. The bytes
 * depend on nothing but the calls. Nothing stands under the target's name before `finish` resolves.
 */
export interface Sink {
  readonly format: StorageFormat;
  group(where: string): void;
  attribute(where: string, name: string, value: AttributeInput): void;
  /** A whole array. float16 takes the Float32Array that reading gives. */
  dataset(where: string, layout: ArrayLayout, values: Values): Promise<void>;
  /** `layout.shape[0]` is how many rows will come, or 0 when unknown; they are counted as they come. */
  appendable(where: string, layout: ArrayLayout & { shape: readonly number[] }): Appendable;
  /** Writes what is pending and puts the result in place. */
  finish(): Promise<void>;
  /** Gives up and removes what was written; harmless after `finish`. */
  abort(): Promise<void>;
}

/** How bytes are packed. */
export interface SinkOptions {
  /** Default "gzip"; zarr sinks may know more. */
  compression?: "gzip" | "none";
  /** Deflate level 1–9, default 1 (with byte shuffle). */
  level?: number;
  /** Threads that compress, default one per core and at most 4. The bytes are the same for any number. */
  threads?: number;
}
