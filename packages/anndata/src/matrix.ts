import { dtypeOf, isBooleanEnum } from "./columns.ts";
import { openCompressed } from "./compressed.ts";
import { openDense } from "./dense.ts";
import { AnnDataError } from "./errors.ts";
import { shapeAttribute, stringAttribute } from "./source.ts";
import type { Source, ValueType } from "./storage.ts";
import type { CsrRows, Matrix } from "./types.ts";

/** What the axes of a matrix must fit. */
export interface MatrixAxes {
  rows: number;
  columns: number;
  /** Said in errors, for example "obs has 10 cells". */
  rowsSay: string;
  /** Said in errors, for example "var has 20 genes". */
  columnsSay: string;
}

/** What reading a matrix may take. */
export interface MatrixLimits {
  /** Largest array that one call may hold. */
  maxBytes: number;
  /** Where matrices that do not fit are turned; default: the system's folder for temporary files. */
  tempDir?: string | undefined;
  /** See `OpenOptions`. */
  reuseRows?: boolean | undefined;
  /** Called when the file is closed. */
  onClose(callback: () => void): void;
}

/**
 * Opens X, raw.X or a layer: a dense dataset, or a CSR / CSC group by `encoding-type` (0.7 and later) or `h5sparse_format`.
 *
 * @throws AnnDataError "wrong-length" | "invalid" | "unsupported" | "not-found"
 */
export function openMatrix(source: Source, where: string, axes: MatrixAxes, limits: MatrixLimits): Matrix {
  const kind = source.kind(where);
  if (kind === "dataset") return openDense(source, where, axes, limits);
  if (kind !== "group") throw new AnnDataError("not-found", `there is no matrix at ${where}`);
  const format = sparseFormat(source, where);
  const shape = shapeAttribute(source, where, "shape") ?? shapeAttribute(source, where, "h5sparse_shape");
  if (shape === undefined)
    throw new AnnDataError("invalid", `${where} has no attribute shape (or h5sparse_shape)`);
  checkShape(where, shape, axes);
  return openCompressed(source, where, format, axes, limits);
}

function sparseFormat(source: Source, where: string): "csr" | "csc" {
  const encoding = stringAttribute(source, where, "encoding-type");
  const old = stringAttribute(source, where, "h5sparse_format");
  if (encoding === "csr_matrix" || (encoding === undefined && old === "csr")) return "csr";
  if (encoding === "csc_matrix" || (encoding === undefined && old === "csc")) return "csc";
  if (encoding === undefined && old === undefined) {
    throw new AnnDataError(
      "invalid",
      `${where} is a group without encoding-type or h5sparse_format: rows and columns cannot be told apart; ` +
        'set its encoding-type to "csr_matrix" or "csc_matrix"',
    );
  }
  throw new AnnDataError(
    "unsupported",
    `${where} has encoding ${JSON.stringify(encoding ?? old)}, expected csr_matrix or csc_matrix`,
  );
}

export function checkShape(where: string, shape: readonly number[], axes: MatrixAxes): void {
  if (shape.length === 2 && shape[0] === axes.rows && shape[1] === axes.columns) return;
  throw new AnnDataError(
    "wrong-length",
    `${where} has shape [${shape.join(", ")}], expected [${axes.rows}, ${axes.columns}]: ${axes.rowsSay} and ${axes.columnsSay}`,
  );
}

export function checkRange(where: string, rows: number, start: number, end: number): void {
  if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= rows) return;
  throw new AnnDataError("invalid-argument", `${where}: rows ${start} to ${end} asked for, it has ${rows}`);
}

export function* batchesOf(matrix: Matrix, batchRows: number): Generator<{ start: number; rows: CsrRows }> {
  if (!(Number.isInteger(batchRows) && batchRows > 0)) {
    throw new AnnDataError("invalid-argument", `batchRows is ${batchRows}, expected a positive integer`);
  }
  const rows = matrix.shape[0];
  if (batchRows < rows) matrix.expect?.([[0, rows]]);
  for (let start = 0; start < rows; start += batchRows) {
    yield { start, rows: matrix.rows(start, Math.min(rows, start + batchRows)) };
  }
}

export function valueDtype(type: ValueType, where: string): string {
  if (type.kind === "int" || type.kind === "float") return dtypeOf(type);
  if (isBooleanEnum(type)) return "bool";
  throw new AnnDataError(
    "unsupported",
    `${where} holds ${type.kind === "other" ? type.description : type.kind}, expected numbers`,
  );
}

/** float32 holds what it can exactly (floats up to 32 bits, integers up to 16); the rest becomes float64. */
export function valueArray(dtype: string, length: number): Float32Array | Float64Array {
  const wide = ["float64", "int32", "uint32", "int64", "uint64"].includes(dtype);
  return wide ? new Float64Array(length) : new Float32Array(length);
}

/** Memory of at least so many bytes, the same each time, until more is asked for. */
export function growingMemory(): (bytes: number) => Uint8Array<ArrayBuffer> {
  let held = new Uint8Array(0);
  return (bytes) => {
    if (held.length < bytes) held = new Uint8Array(Math.ceil((bytes * 9) / 8 / 4096) * 4096);
    return held;
  };
}
