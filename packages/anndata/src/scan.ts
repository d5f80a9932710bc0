import type { CsrRows, Matrix } from "./types.ts";

interface Hits {
  count: number;
  /** "row 3, column 7 (value)"; empty when there is none. */
  first: string;
}

export interface Scan {
  notFinite: Hits;
  negative: Hits;
  fractional: Hits;
  /** True when only part of the rows was looked at. */
  sampled: boolean;
}

/** Entries looked at before sampling begins: a few seconds. */
const maxEntries = 50_000_000;
/** Entries per batch, so that memory stays small. */
const batchEntries = 2_000_000;

/** Looks for what counts cannot be. Structural damage throws from the matrix itself. */
export function scanMatrix(matrix: Matrix): Scan {
  const scan: Scan = {
    notFinite: { count: 0, first: "" },
    negative: { count: 0, first: "" },
    fractional: { count: 0, first: "" },
    sampled: false,
  };
  const [rows, columns] = matrix.shape;
  if (rows === 0) return scan;
  const perRow = Math.max(1, (matrix.nnz ?? rows * columns) / rows);
  const batchRows = Math.min(rows, Math.max(1, Math.floor(batchEntries / perRow)));
  const batches = Math.ceil(rows / batchRows);
  const wanted = Math.min(batches, Math.max(2, Math.floor(maxEntries / (perRow * batchRows))));
  scan.sampled = wanted < batches;
  for (let k = 0; k < wanted; k++) {
    // Evenly spread, first and last batch included.
    const batch = wanted === batches ? k : Math.round((k * (batches - 1)) / (wanted - 1));
    const start = batch * batchRows;
    look(matrix.rows(start, Math.min(rows, start + batchRows)), start, scan);
  }
  return scan;
}

function look(rows: CsrRows, start: number, scan: Scan): void {
  const { data } = rows;
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value >= 0 && Number.isInteger(value)) continue;
    if (!Number.isFinite(value)) hit(scan.notFinite, rows, i, start);
    else {
      if (value < 0) hit(scan.negative, rows, i, start);
      if (!Number.isInteger(value)) hit(scan.fractional, rows, i, start);
    }
  }
}

function hit(hits: Hits, rows: CsrRows, i: number, start: number): void {
  if (hits.count++ > 0) return;
  let row = 0;
  while (rows.indptr[row + 1]! <= i) row++;
  hits.first = `row ${start + row}, column ${rows.indices[i]} (${rows.data[i]})`;
}
