import { OmicsStoreError } from "./errors.ts";
import type { CountsType, CsrRowsLike } from "./types.ts";

/** Where a value came from, for messages. */
export interface MatrixNames {
  cell(row: number): string;
  gene(column: number): string;
}

/** Throws `invalid_counts` unless the CSR structure is sound: lengths, ascending indptr, `nCols` as expected. Values are checked when encoded. */
export function checkCsr(rows: CsrRowsLike, nCols: number): void {
  const fail = (what: string): never => {
    throw new OmicsStoreError("invalid_counts", `CSR rows: ${what}`);
  };
  const { nRows, indptr } = rows;
  if (rows.nCols !== nCols) fail(`${nCols} columns (one per feature) were expected, found ${rows.nCols}`);
  if (indptr.length !== nRows + 1)
    fail(`indptr of ${nRows + 1} entries was expected, found ${indptr.length}`);
  const end = indptr[nRows]!;
  if (indptr[0] !== 0) fail(`indptr must start at 0, found ${indptr[0]}`);
  if (end > rows.indices.length || end > rows.data.length)
    fail(
      `indptr ends at ${end}, but there are ${rows.indices.length} indices and ${rows.data.length} values`,
    );
  for (let i = 0; i < nRows; i++) {
    const step = indptr[i + 1]! - indptr[i]!;
    if (!Number.isInteger(step) || step < 0) fail(`indptr falls or is not whole at row ${i}`);
  }
}

export interface CellLists {
  featureIds: Int32Array;
  counts: Int32Array | Float32Array;
  /** End of every row's list; zeros were dropped. */
  ends: Float64Array;
}

/**
 * Feature ids and counts of rows `from`..`to`, zeros dropped, written into `into` (grown when needed and returned).
 * Throws `invalid_counts`, naming cell and gene, for NaN, infinities, and what the counts type cannot hold.
 */
export function encodeRows(
  rows: CsrRowsLike,
  from: number,
  to: number,
  featureIdStart: number,
  into: CellLists,
  names: MatrixNames,
): CellLists {
  const { indptr, indices, data, nCols } = rows;
  const base = indptr[from]!;
  const out = grown(into, indptr[to]! - base, to - from);
  const { featureIds, counts, ends } = out;
  const integers = counts instanceof Int32Array;
  let at = 0;
  for (let row = from; row < to; row++) {
    for (let k = indptr[row]!; k < indptr[row + 1]!; k++) {
      const value = data[k]!;
      if (value === 0) continue;
      const column = indices[k]!;
      if (column < 0 || column >= nCols)
        throw new OmicsStoreError("invalid_counts", `cell ${names.cell(row)}: column ${column} of ${nCols}`);
      counts[at] = value;
      if (integers ? counts[at] !== value : !Number.isFinite(counts[at]!))
        throw badCount(value, row, column, integers, names);
      if (counts[at] === 0) continue; // underflow to float32 zero
      featureIds[at++] = featureIdStart + column;
    }
    ends[row - from] = at;
  }
  return out;
}

function badCount(
  value: number,
  row: number,
  column: number,
  integers: boolean,
  names: MatrixNames,
): OmicsStoreError {
  const wanted = integers ? "an int32" : "a finite float32";
  const hint = integers && Number.isFinite(value) ? '; use countsType "float32" for such data' : "";
  return new OmicsStoreError(
    "invalid_counts",
    `cell ${names.cell(row)}, gene ${names.gene(column)}: ${wanted} count was expected, found ${value}${hint}`,
  );
}

export function emptyLists(type: CountsType): CellLists {
  return {
    featureIds: new Int32Array(0),
    counts: type === "int32" ? new Int32Array(0) : new Float32Array(0),
    ends: new Float64Array(0),
  };
}

function grown(lists: CellLists, items: number, rows: number): CellLists {
  const make = lists.counts instanceof Int32Array ? Int32Array : Float32Array;
  const enough = lists.featureIds.length >= items;
  return {
    featureIds: enough ? lists.featureIds : new Int32Array(items),
    counts: enough ? lists.counts : new make(items),
    ends: lists.ends.length >= rows ? lists.ends : new Float64Array(rows),
  };
}
