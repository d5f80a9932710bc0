import type { Attribute, Values, ValueType } from "../storage.ts";

/**
 * An array, read row by row: from a file, or from memory with `arrayOf`. `shape` is [] for a scalar. Values are row-major; 64-bit
 * integers are BigInt, float16 is widened to Float32Array, records are one entry per member.
 */
export interface ArraySource {
  readonly type: ValueType;
  readonly shape: readonly number[];
  /** Rows that are decoded together; reading whole multiples of it is fastest. */
  readonly chunkRows?: number;
  /** Rows `start` (inclusive) to `end` (exclusive); default: all. */
  read(start?: number, end?: number): Values;
}

/** What can stand under a name in an AnnData file, by its `encoding-type`. Arrays are read when asked for, mappings opened when looked into. */
export type Element =
  | ArrayElement
  | { readonly encoding: "numeric-scalar"; readonly array: ArraySource }
  | { readonly encoding: "string"; readonly value: string }
  | { readonly encoding: "null" }
  | SparseElement
  | CategoricalElement
  | NullableElement
  | DataFrameElement
  | DictElement
  | AwkwardElement
  | UnknownElement;

/** Numbers or booleans of any number of axes; strings; records. */
export interface ArrayElement {
  readonly encoding: "array" | "string-array" | "rec-array";
  readonly array: ArraySource;
}

/** A sparse matrix: its three arrays as they are stored. */
export interface SparseElement {
  readonly encoding: "csr_matrix" | "csc_matrix";
  /** [rows, columns] */
  readonly shape: readonly [number, number];
  readonly indptr: ArraySource;
  readonly indices: ArraySource;
  readonly data: ArraySource;
}

/** Values from a list, by their position in it. */
export interface CategoricalElement {
  readonly encoding: "categorical";
  /** Position in `categories`; -1 = missing. */
  readonly codes: ArraySource;
  readonly categories: Element;
  readonly ordered: boolean;
}

/** Values with a mask of those that are missing. */
export interface NullableElement {
  readonly encoding: "nullable-integer" | "nullable-boolean" | "nullable-string-array";
  readonly values: ArraySource;
  /** Booleans; true = missing. */
  readonly mask: ArraySource;
  /** Which missing value strings have: "NA" or "NaN"; undefined when the file does not say. */
  readonly naValue?: string;
}

/** A table: an index and columns in order. */
export interface DataFrameElement {
  readonly encoding: "dataframe";
  /** "_index" when the index has no name. */
  readonly indexName: string;
  readonly index: Element;
  readonly columns: ReadonlyMap<string, Element>;
}

/** A mapping; the root of a file and raw are mappings with a name of their own. */
export interface DictElement {
  readonly encoding: "dict" | "anndata" | "raw";
  readonly entries: ReadonlyMap<string, Element>;
}

/** Ragged arrays of the library "awkward": the buffers and the form that says what they mean. */
export interface AwkwardElement {
  readonly encoding: "awkward-array";
  /** JSON. */
  readonly form: string;
  readonly length: number;
  readonly buffers: ReadonlyMap<string, ArraySource>;
}

/** An encoding that this package does not know, as it lies in the file; copied as it is. */
export interface UnknownElement {
  readonly encoding: "unknown";
  readonly encodingType: string;
  readonly node: RawNode;
}

/** A group or dataset with its attributes, uninterpreted. */
export interface RawNode {
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** Of a dataset; undefined also for one that holds nothing. */
  readonly array?: ArraySource;
  /** Of a group. */
  readonly children?: ReadonlyMap<string, RawNode>;
}

/** An array in memory. `values` holds exactly the elements of `shape`. */
export function arrayOf(type: ValueType, shape: readonly number[], values: Values): ArraySource {
  return {
    type,
    shape,
    read: (start = 0, end = shape[0] ?? 1) => {
      if (shape.length === 0 || (start === 0 && end === shape[0])) return values;
      return sliceRows(values, shape, start, end);
    },
  };
}

function sliceRows(values: Values, shape: readonly number[], start: number, end: number): Values {
  if (values instanceof Map) {
    return new Map([...values].map(([name, column]) => [name, sliceRows(column, shape, start, end)]));
  }
  // Members that are small arrays hold several values per row.
  const width = shape[0] === 0 ? 1 : values.length / shape[0]!;
  return values.slice(start * width, end * width);
}
