/** What an element is. Byte order on disk does not show: values always arrive in the machine's order. */
export type H5Type =
  | { kind: "int"; size: 1 | 2 | 4 | 8; signed: boolean }
  | { kind: "float"; size: 2 | 4 | 8 }
  | { kind: "string"; size: number | "variable"; utf8: boolean }
  | {
      kind: "enum";
      base: { kind: "int"; size: 1 | 2 | 4 | 8; signed: boolean };
      members: Record<string, number>;
    }
  | { kind: "compound"; size: number; members: H5Member[] }
  /** A small array as one element, for example a row of an embedding; its values arrive flat. */
  | { kind: "array"; size: number; dims: number[]; base: H5Type }
  /** A list of its own length per element; values are H5Sequences. */
  | { kind: "vlen"; size: number; base: H5Type }
  /** Bytes without meaning to HDF5; values are a Uint8Array, element after element. */
  | { kind: "opaque"; size: number; tag: string }
  /** Values are addresses of object headers (BigUint64Array), or the bytes of a reference to a region. */
  | { kind: "reference"; size: number; target: "object" | "region" }
  /** Described only; its values cannot be read. */
  | { kind: "other"; description: string };

/** A field of a compound. */
export interface H5Member {
  name: string;
  /** Byte offset inside one element. */
  offset: number;
  type: H5Type;
}

/** Integers of 8 bytes stay BigInt; float16 is widened to Float32Array. */
export type H5Numbers =
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

/** Lists of different lengths: list i is values[offsets[i]] to values[offsets[i + 1]], counted in elements. */
export interface H5Sequences {
  /** How many lists. */
  readonly length: number;
  /** One more than there are lists. */
  readonly offsets: Float64Array;
  readonly values: H5Values;
  /** Lists `start` to `end`; `values` is shared. */
  slice(start: number, end: number): H5Sequences;
}

/** Numbers and enums as typed arrays, strings as arrays, compounds as one entry per member. */
export type H5Values = H5Numbers | string[] | Map<string, H5Values> | H5Sequences;

/** A step of the pipeline that chunks went through when they were written. */
export interface H5Filter {
  id: number;
  name: string;
  /** Client data: what the filter was told when it was set up, for example the element size of shuffle. */
  values: number[];
}

/** A dataset as its header describes it; nothing of its values is read. */
export interface DatasetInfo {
  /** Absolute path with soft links resolved. */
  path: string;
  type: H5Type;
  /** [] for a scalar, undefined for the null dataspace. */
  shape: number[] | undefined;
  chunks: number[] | undefined;
  /** Byte order of the numbers on disk. */
  bigEndian: boolean;
  /** In the order in which they were applied when writing. */
  filters: H5Filter[];
  /** Bytes of one element in the file. */
  elementBytes: number;
  /** One element as it would stand in the file where nothing was written; undefined for zeros. */
  fillValue: Uint8Array | undefined;
}

/** One stored chunk. */
export interface H5Chunk {
  /** First element along each axis. */
  offset: number[];
  /** Absolute file offset of its bytes. */
  address: number;
  /** Stored bytes. */
  bytes: number;
  /** Bit i set: filter i was skipped. */
  filterMask: number;
}

/** Where the raw bytes of a dataset lie. */
export type H5Storage =
  | { kind: "contiguous" /** Absolute file offset. */; address: number; bytes: number }
  | { kind: "compact"; data: Uint8Array }
  | {
      kind: "chunked";
      /** Stored chunks that touch rows `start` to `end`, ascending by offset; absent ones are fill value. */
      chunks(start: number, end: number): H5Chunk[];
    }
  /** Never written: all fill value. */
  | { kind: "none" };

/** An attribute with its values. */
export interface H5Attribute {
  type: H5Type;
  /** [] for a scalar, undefined for the null dataspace. */
  shape: number[] | undefined;
  /** Row-major, one element for a scalar, none for the null dataspace. */
  values: H5Values;
}

/** What stands at a path; "datatype" is a committed type. */
export type H5Kind = "group" | "dataset" | "datatype";

/**
 * A file open for reading. Paths are absolute ("/obs/_index"); soft links inside the file are followed, everything that leads out
 * of it is refused with "refused-link". All calls are synchronous and throw Hdf5Error.
 */
export interface H5Reader {
  readonly path: string;
  readonly sizeBytes: number;
  /** Largest array that one read may return. */
  readonly maxBytes: number;
  /** undefined when nothing is there. */
  kind(path: string): H5Kind | undefined;
  /** The path with soft links replaced; undefined when nothing is there. Two paths with one real path are one object. */
  realPath(path: string): string | undefined;
  /** Link names of a group, links not followed. */
  children(path: string): string[];
  attributeNames(path: string): string[];
  attribute(path: string, name: string): H5Attribute | undefined;
  dataset(path: string): DatasetInfo;
  /**
   * Elements of rows `start` to `end` along the first axis (default: all), row-major; a scalar is one element.
   *
   * @param columns range along the second axis (default: all)
   */
  read(
    info: DatasetInfo,
    start?: number,
    end?: number,
    columns?: readonly [number, number],
    /** Numbers are put here, if they fit, and come back as a view of it: who reads much saves the collector its work. Begins at 0 of its buffer. */
    into?: Uint8Array<ArrayBuffer>,
  ): H5Values;
  /** Where the stored bytes are, for decoding elsewhere; undefined when only the fallback engine can read the dataset. */
  storage(info: DatasetInfo): H5Storage | undefined;
  close(): void;
  /** `close`, for `using`. */
  [Symbol.dispose](): void;
}

/** How a file is read; nothing has to be said. */
export interface ReaderOptions {
  /** Largest array that one read may return, default 1 GiB. */
  maxBytes?: number;
  /**
   * "auto" (default) reads with the engine written here and asks h5wasm for what that does not know; "native" and "wasm" are one
   * of them alone.
   */
  engine?: "auto" | "native" | "wasm";
  /** Is told what was handed to the fallback, and why. */
  debug?: (message: string) => void;
}

/** Text becomes a variable-length UTF-8 string, a number float64 or, when whole, int64, a boolean the enum of h5py. */
export type AttributeInput =
  | string
  | number
  | boolean
  | { shape: readonly number[] | undefined; type: H5Type; values: H5Numbers | readonly string[] };

/** How a dataset is stored; where nothing is said of filters, in one piece and as it is. */
export interface DatasetInput {
  type: H5Type;
  /** [] for a scalar, undefined for the null dataspace. With `append`, shape[0] is ignored: rows are counted as they come. */
  shape: readonly number[] | undefined;
  /** Level 1 of shuffled numbers is our own encoder (the same bytes everywhere); anything else is zlib's. */
  deflate?: { level: number };
  /** Instead of deflate: quicker to read, bigger. */
  lzf?: boolean;
  /** Default: with deflate and LZF, for elements of 2 to 16 bytes that are no records or fixed strings. */
  shuffle?: boolean;
  /** A checksum per chunk. */
  fletcher32?: boolean;
  /** Rows per chunk, default about 64k elements; a chunk spans all other axes. */
  chunkRows?: number;
  /** One chunk per row and place on the second axis, (1, 1, …): images whose channels are read one at a time. Not with `chunkRows`. */
  chunkPlanes?: boolean;
  /** Whether HDF5 may add rows later; what `appendable` makes always is. */
  extendable?: boolean;
  /** One element, for rows that are added without values. */
  fillValue?: DatasetValues;
}

/** Values to be written: as they are read, but for sequences. */
export type DatasetValues =
  | H5Numbers
  | readonly string[]
  | ReadonlyMap<string, H5Numbers | readonly string[]>;

/** Handle of a dataset that grows along its first axis. */
export interface AppendableDataset {
  /** Whole rows; values are taken before it returns. 16-bit floats come as Float32Array. */
  append(values: DatasetValues): void;
  readonly rows: number;
}

/**
 * A file being written. Groups must exist before what they hold. The bytes depend on nothing but the calls: no times, no
 * addresses of the process.
 */
export interface H5Writer {
  group(path: string): void;
  attribute(path: string, name: string, value: AttributeInput): void;
  dataset(path: string, input: DatasetInput, values: DatasetValues): void;
  appendable(path: string, input: DatasetInput): AppendableDataset;
  softLink(path: string, target: string): void;
  externalLink(path: string, file: string, target: string): void;
  hardLink(path: string, existing: string): void;
  /** Writes what is pending and closes the file. */
  finish(): void;
  /** Closes the file and leaves whatever is in it. */
  abort(): void;
}
