import type { Element } from "./elements/element.ts";
import type { ParallelOptions, SinkOptions, StorageFormat } from "./storage.ts";
import type { Turning } from "./turn/turning.ts";

/** Rows of a sparse matrix. Row `r` holds entries `indptr[r] … indptr[r + 1] - 1`. */
export interface CsrRows {
  nRows: number;
  nCols: number;
  /** nRows + 1 offsets into `indices` and `data`, starting at 0. */
  indptr: Float64Array;
  /** Column of each entry: ascending within a row, each column at most once. */
  indices: Int32Array;
  data: Float32Array | Float64Array;
}

/** dtype of a column on disk. */
export type NumberDtype =
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float32"
  | "float64";

/** 64-bit integers and half floats arrive as Float64Array; integers beyond ±2^53 are refused, never rounded. */
export type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/** One column of obs or var. */
export type Column = CategoricalColumn | StringColumn | NumberColumn | BooleanColumn;

/** Text, with or without missing values. */
export interface StringColumn {
  kind: "string";
  /** null = missing. */
  values: (string | null)[];
}

/** Numbers of one dtype; with `mask` a nullable integer. */
export interface NumberColumn {
  kind: "number";
  dtype: NumberDtype;
  values: NumberArray;
  /** 1 = missing. */
  mask?: Uint8Array;
}

/** True and false; with `mask` a nullable boolean. */
export interface BooleanColumn {
  kind: "boolean";
  /** 0 or 1 */
  values: Uint8Array;
  /** 1 = missing. */
  mask?: Uint8Array;
}

/** Values from a list, by their position in it. */
export interface CategoricalColumn {
  kind: "categorical";
  /** Index into `categories`; -1 = missing. */
  codes: Int32Array;
  /** Numeric and boolean categories are turned into strings, booleans as "True" / "False". */
  categories: string[];
  /** The categories as they stand in the file, when they are not strings; the writer then stores these. */
  categoryValues?: NumberColumn | BooleanColumn;
  ordered: boolean;
}

/**
 * obs or var: read one column at a time, all of it or rows `start` (inclusive) to `end` (exclusive). Nothing of the rows is kept;
 * the categories of a column are, while there are not too many.
 */
export interface DataFrame {
  readonly length: number;
  /** Name of the index in the file; "_index" when it has none. */
  readonly indexName: string;
  /** @throws AnnDataError "invalid-argument" for rows that the frame does not have */
  index(start?: number, end?: number): string[];
  readonly columnNames: string[];
  /** @throws AnnDataError "not-found" for a name that `columnNames` does not list, "invalid-argument" for rows that the frame does not have */
  column(name: string, start?: number, end?: number): Column;
  has(name: string): boolean;
}

/** X, raw.X or a layer, in whatever layout the file has; always read as CSR rows. */
export interface Matrix {
  readonly format: "csr" | "csc" | "dense";
  /** dtype of the values on disk, for example "float32". */
  readonly dtype: string;
  /** [rows, columns] */
  readonly shape: [number, number];
  /** Entries stored in the file (duplicates counted); undefined for a dense matrix. */
  readonly nnz: number | undefined;
  /** Rows `start` (inclusive) to `end` (exclusive). Zeros of a dense matrix are dropped; stored zeros of a sparse one are kept. */
  rows(start: number, end: number): CsrRows;
  batches(batchRows: number): Generator<{ start: number; rows: CsrRows }>;
  /**
   * All rows, decoded by several threads where the store can; the arrays may then be over shared memory. The fastest way to a matrix
   * that fits into memory; of a dense one, only what is not zero must fit. @throws AnnDataError "too-large" beyond `maxBytes`; the reason of the signal
   */
  toCsr(options?: ParallelOptions): Promise<CsrRows>;
  /**
   * Tells that only these rows (first, and after the last; none twice) will be asked for, as ranges: a matrix by column finds them all in one
   * pass over the file. Absent where it makes no difference.
   */
  expect?(ranges: readonly (readonly [number, number])[]): void;
  /** Entries `from` to `to` of a matrix by column as they stand in the file: a look at it that costs no pass. */
  entries?(from: number, to: number): Entries;
  /** For a matrix by column: turning it round by several threads. */
  turning?: Turning;
}

/** Entries of a sparse matrix as lists of one length. */
export interface Entries {
  rows: Int32Array;
  columns: Int32Array;
  data: Float32Array | Float64Array;
}

/** An entry of obsm, varm, obsp or varp. */
export type Aligned =
  | AlignedArray
  | { kind: "sparse"; matrix: Matrix }
  | { kind: "dataframe"; frame: DataFrame }
  /** Ragged arrays and encodings that this package does not know. */
  | { kind: "other"; element: Element };

/** Numbers with one entry (or row, or more) per cell or gene. */
export interface AlignedArray {
  kind: "array";
  /** dtype on disk. */
  dtype: string;
  /** Any number of axes. */
  shape: readonly number[];
  /** Rows `start` (inclusive) to `end` (exclusive), row-major; default: all. */
  rows(start?: number, end?: number): NumberArray;
}

/**
 * A file open for reading: cells × genes, and what is known of both. All calls are synchronous, read what they return and a few chunks
 * besides, and throw AnnDataError; "closed" after `close`.
 */
export interface AnnData {
  readonly path: string;
  readonly format: StorageFormat;
  readonly nObs: number;
  readonly nVar: number;
  readonly obs: DataFrame;
  readonly var: DataFrame;
  readonly x: Matrix | undefined;
  readonly raw: { var: DataFrame; x: Matrix } | undefined;
  /** Matrices are opened on first use. */
  readonly layers: ReadonlyMap<string, Matrix>;
  readonly obsmKeys: string[];
  /** All of a plain array of obsm, row-major; `aligned.obsm` also has the rest, and rows of it. @throws AnnDataError "unsupported" for what is no array */
  obsm(key: string): { data: Float32Array | Float64Array; shape: [number, number] };
  /** What stands beside obs and var, opened on first use. @throws AnnDataError "wrong-length" | "invalid" from `get` */
  readonly aligned: Readonly<Record<"obsm" | "varm" | "obsp" | "varp", ReadonlyMap<string, Aligned>>>;
  /**
   * Whatever stands at a path ("/uns/neighbors", "/obs/cell_type"), with its exact dtype and encoding; "/" is the whole file, brought
   * up to date when it is of an old version. Arrays inside are read when asked for. @throws AnnDataError "not-found" | "invalid" | "refused-link"
   */
  element(path: string): Element;
  /** `uns` as plain JSON: numbers that are not finite become null, big arrays a `{ shape, dtype }` summary, cycles are cut. */
  uns(): unknown;
  close(): void;
  [Symbol.dispose](): void;
}

/** How a file is read; nothing has to be said. */
export interface OpenOptions {
  /** Largest array that one call may hold, in bytes; default 1 GiB. */
  maxBytes?: number;
  /**
   * Where formats of text (Matrix Market) are unpacked, and matrices stored by column that do not fit into memory turned round, while the file is
   * open; default: the system's temporary folder.
   */
  tempDir?: string | undefined;
  /**
   * Rows of matrices come in arrays that the next rows of the same matrix may overwrite. For who is done with one range before asking for
   * the next: nothing is allocated or collected then.
   */
  reuseRows?: boolean | undefined;
  /** Open what stands in this group, for example one modality of a MuData file: "/mod/rna". */
  group?: string | undefined;
}

/** Rows come in order and sum up to `shape[0]`; columns rise within a row. Read once, batch by batch; nothing of them is held. */
export interface CsrStream {
  shape: [number, number];
  batches: Iterable<CsrRows> | AsyncIterable<CsrRows>;
}

/** obs or var to be written: every column has as many rows as the index. */
export interface FrameInput {
  index: string[];
  indexName?: string;
  columns: Record<string, Column>;
}

/** What uns may hold: whole numbers become int64, other numbers float64; lists are of one kind. */
export type JsonLike =
  | null
  | boolean
  | number
  | string
  | readonly string[]
  | readonly number[]
  | readonly boolean[]
  | NumberArray
  | { [key: string]: JsonLike };

/** Row-major; stored with the dtype of its array type. */
export interface ArrayInput {
  data: NumberArray;
  shape: readonly number[];
}

/** An entry of obsm, varm, obsp or varp: an array, a sparse matrix or a data frame. */
export type AlignedInput = ArrayInput | CsrRows | CsrStream | FrameInput;

/** What was before genes were left out: the same cells, genes of its own. */
export interface RawInput {
  x: CsrRows | CsrStream;
  var: FrameInput;
  varm?: Record<string, AlignedInput>;
}

/** What is to be written; shapes must agree with obs and var. Small things are held in memory, matrices may be streams. */
export interface AnnDataInput {
  x?: CsrRows | CsrStream;
  obs: FrameInput;
  var: FrameInput;
  /** Nulls are left out: anndata before 0.12 has no encoding for them. */
  uns?: Record<string, JsonLike>;
  /** First axis: cells. */
  obsm?: Record<string, AlignedInput>;
  /** First axis: genes. */
  varm?: Record<string, AlignedInput>;
  /** cells × cells */
  obsp?: Record<string, AlignedInput>;
  /** genes × genes */
  varp?: Record<string, AlignedInput>;
  layers?: Record<string, CsrRows | CsrStream>;
  raw?: RawInput;
}

/** How it is stored; nothing has to be said. */
export interface WriteOptions extends SinkOptions {
  /** dtype of X and raw.X on disk, default "float32". Values that do not fit an integer dtype are refused. */
  xDtype?: NumberDtype;
  /** dtypes of layers on disk; default: that of their rows' values, "float64" for streams. */
  layerDtypes?: Readonly<Record<string, NumberDtype>>;
  /** Layout of X, raw.X and the layers, default "csr". "csc" sorts the entries on disk on the way. */
  xFormat?: "csr" | "csc" | "dense";
  /**
   * Strings with missing values: "categorical" (default; every anndata reads it) or "nullable" (nullable-string-array, anndata 0.11
   * and later).
   */
  missingStrings?: "categorical" | "nullable";
  /** Where "csc" sorts; default: the system's temporary folder. */
  tempDir?: string | undefined;
}
