import type { CsrRows } from "./types.ts";

/** Sorts the columns of every row and sums duplicates, as scipy's `sum_duplicates` does. Returns the input when it is in order. */
export function canonicalRows(rows: CsrRows): CsrRows {
  let ordered = true;
  for (let row = 0; row < rows.nRows && ordered; row++) {
    for (let i = rows.indptr[row]! + 1; i < rows.indptr[row + 1]!; i++) {
      if (rows.indices[i]! <= rows.indices[i - 1]!) {
        ordered = false;
        break;
      }
    }
  }
  return ordered ? rows : sumDuplicates(rows);
}

function sumDuplicates(rows: CsrRows): CsrRows {
  const indptr = new Float64Array(rows.nRows + 1);
  const indices = new Int32Array(rows.indices.length);
  const data = rows.data.slice();
  let at = 0;
  for (let row = 0; row < rows.nRows; row++) {
    const from = rows.indptr[row]!;
    const count = rows.indptr[row + 1]! - from;
    // The sort is stable: duplicates are summed in the order in which they stand in the file.
    const order = Uint32Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => rows.indices[from + a]! - rows.indices[from + b]! || a - b,
    );
    const first = at;
    for (const i of order) {
      const column = rows.indices[from + i]!;
      const value = rows.data[from + i]!;
      if (at > first && indices[at - 1] === column) data[at - 1]! += value;
      else {
        indices[at] = column;
        data[at++] = value;
      }
    }
    indptr[row + 1] = at;
  }
  return {
    nRows: rows.nRows,
    nCols: rows.nCols,
    indptr,
    indices: indices.slice(0, at),
    data: data.slice(0, at),
  };
}
