/** Rows of a sparse matrix (CSR), as every package of the mesh passes them. */
export interface CsrRows {
  nRows: number;
  nCols: number;
  /** nRows + 1 offsets. */
  indptr: Float64Array;
  /** Column of each entry, ascending within a row. */
  indices: Int32Array;
  data: Float32Array;
}

/** A column of obs or var. */
export type Column =
  | { kind: "categorical"; codes: Int32Array; categories: string[]; ordered: boolean }
  | { kind: "string"; values: string[] }
  | { kind: "number"; dtype: "float32" | "int32"; values: Float32Array | Int32Array }
  | { kind: "boolean"; values: Uint8Array };

/** obs or var: an index and named columns of its length. */
export interface Table {
  index: string[];
  columns: Record<string, Column>;
}

/** Values as a categorical column; categories in ascending order, as pandas makes them. */
export function categorical(values: readonly string[]): Column {
  const categories = [...new Set(values)].sort();
  const codeOf = new Map(categories.map((category, code) => [category, code]));
  return {
    kind: "categorical",
    codes: Int32Array.from(values, (value) => codeOf.get(value)!),
    categories,
    ordered: false,
  };
}

/** One value for every row, as a categorical column. */
export function constant(value: string, rows: number): Column {
  return {
    kind: "categorical",
    codes: new Int32Array(rows),
    categories: rows === 0 ? [] : [value],
    ordered: false,
  };
}
