import { KernelError } from "./errors.ts";
import type { CsrRowsLike } from "./types.ts";

/**
 * Checks a sparse block once, before arithmetic would turn a fault into a wrong number.
 *
 * @throws KernelError `invalid_rows` naming row and column: offsets that do not ascend or run past the data, a column outside
 *   the matrix, a column twice in a row, NaN or infinity, or (with `counts`) a negative value.
 */
export function checkRows(rows: CsrRowsLike, counts = false): void {
  const { nRows, nCols, indptr, indices, data } = rows;
  if (!(Number.isInteger(nRows) && nRows >= 0 && Number.isInteger(nCols) && nCols >= 0)) {
    throw new KernelError("invalid_rows", `expected a matrix shape, found ${nRows} × ${nCols}`);
  }
  if (indptr.length !== nRows + 1) {
    throw new KernelError(
      "invalid_rows",
      `expected indptr of ${nRows + 1} offsets for ${nRows} rows, found ${indptr.length}`,
    );
  }
  const entries = Math.min(indices.length, data.length);
  let seen: Int32Array | undefined;
  for (let row = 0; row < nRows; row++) {
    const begin = indptr[row]!;
    const end = indptr[row + 1]!;
    if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin <= end && end <= entries)) {
      throw new KernelError(
        "invalid_rows",
        `row ${row} spans entries ${begin} to ${end}, but there are ${entries}`,
        {
          row,
        },
      );
    }
    let previous = -1;
    let ascending = true;
    for (let at = begin; at < end; at++) {
      const column = indices[at]!;
      if (column <= previous) ascending = false;
      previous = column;
      if (column < 0 || column >= nCols) {
        throw new KernelError(
          "invalid_rows",
          `row ${row} names column ${column} of a matrix with ${nCols} columns`,
          {
            row,
            column,
          },
        );
      }
      checkValue(data[at]!, row, column, counts);
    }
    if (!ascending) {
      seen ??= new Int32Array(nCols).fill(-1);
      checkUnique(rows, row, seen);
    }
  }
}

/** Counts fit float32, and squares of anything accepted stay finite in float64. */
const MAX_COUNT = 3.4028234663852886e38;
const MAX_VALUE = 1e100;

function checkValue(value: number, row: number, column: number, counts: boolean): void {
  if (!(Math.abs(value) <= (counts ? MAX_COUNT : MAX_VALUE))) {
    throw new KernelError(
      "invalid_rows",
      `expected a finite value at row ${row}, column ${column}, found ${value}`,
      {
        row,
        column,
      },
    );
  }
  if (counts && value < 0) {
    throw new KernelError(
      "invalid_rows",
      `expected a count at row ${row}, column ${column}, found ${value}: pass raw counts, not scaled values`,
      { row, column },
    );
  }
}

function checkUnique(rows: CsrRowsLike, row: number, seen: Int32Array): void {
  for (let at = rows.indptr[row]!; at < rows.indptr[row + 1]!; at++) {
    const column = rows.indices[at]!;
    if (seen[column] === row) {
      throw new KernelError("invalid_rows", `row ${row} names column ${column} twice: sum duplicates first`, {
        row,
        column,
      });
    }
    seen[column] = row;
  }
}

/** @throws KernelError `invalid_rows` unless there is one finite, non-negative total per row. */
export function checkTotals(totals: Float64Array | Float32Array, nRows: number): void {
  if (totals.length !== nRows) {
    throw new KernelError("invalid_rows", `expected ${nRows} totals, one per row, found ${totals.length}`);
  }
  for (let row = 0; row < nRows; row++) {
    const total = totals[row]!;
    if (!(total >= 0 && total < Infinity)) {
      throw new KernelError("invalid_rows", `expected a finite total count for row ${row}, found ${total}`, {
        row,
      });
    }
  }
}

/** @throws KernelError `invalid_argument` unless `value` is an integer in [min, max]. */
export function checkInteger(name: string, value: number, min: number, max = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new KernelError("invalid_argument", `expected ${name} to be an integer ${range}, found ${value}`);
  }
}
