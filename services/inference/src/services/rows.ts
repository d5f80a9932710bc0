import type { CsrRowsLike } from "@cytomesh/kernels";
import { InferenceError, type Violation } from "../errors.ts";
import type { PackedRows } from "../schemas/resources.ts";

/** Problems listed one by one; the rest is counted. */
const maxListed = 20;

/** Rows of a query, checked. */
export interface QueryRows {
  readonly indptr: Uint32Array;
  readonly indices: Uint32Array;
  readonly data: Float32Array;
  /** Empty when the rows bring none. */
  readonly totals: Float32Array;
  readonly nRows: number;
}

/**
 * Unpack rows and look at every number of them.
 *
 * @throws InferenceError `invalid-rows` listing everything wrong, by cell.
 */
export function decodeRows(packed: PackedRows, nGenes: number): QueryRows {
  const problems = createProblems(packed.cellIds);
  const nRows = packed.cellIds.length;
  const rows: QueryRows = {
    nRows,
    indptr: new Uint32Array(fourByteView(packed.indptr, "indptr", problems)),
    indices: new Uint32Array(fourByteView(packed.indices, "indices", problems)),
    data: new Float32Array(fourByteView(packed.data, "data", problems)),
    totals: new Float32Array(fourByteView(packed.totalCounts, "total_counts", problems)),
  };
  checkLengths(rows, problems);
  problems.raise();
  checkOffsets(rows, problems);
  problems.raise();
  checkEntries(rows, nGenes, problems);
  checkTotals(rows, problems);
  problems.raise();
  return rows;
}

/** The bytes up to the last whole number; a rest is a problem. */
function fourByteView(bytes: Uint8Array, field: string, problems: Problems): ArrayBuffer {
  if (bytes.length % 4 !== 0)
    problems.add(field, `expected whole numbers of 4 bytes, found ${bytes.length} bytes`);
  const whole = bytes.length - (bytes.length % 4);
  const owned = bytes.byteOffset % 4 === 0 && bytes.byteOffset === 0 && bytes.buffer.byteLength === whole;
  return (owned ? bytes.buffer : bytes.slice(0, whole).buffer) as ArrayBuffer;
}

function checkLengths(rows: QueryRows, problems: Problems): void {
  const { nRows, indptr, indices, data, totals } = rows;
  if (indptr.length !== nRows + 1)
    problems.add("indptr", `expected ${nRows + 1} offsets for ${nRows} cells, found ${indptr.length}`);
  if (indices.length !== data.length)
    problems.add("indices", `expected as many as data, found ${indices.length} and ${data.length}`);
  if (totals.length !== 0 && totals.length !== nRows)
    problems.add("total_counts", `expected none or ${nRows}, one per cell, found ${totals.length}`);
}

function checkOffsets({ nRows, indptr, data }: QueryRows, problems: Problems): void {
  if (indptr[0] !== 0) problems.add("indptr", `expected to begin with 0, found ${indptr[0]}`);
  for (let row = 0; row < nRows; row++)
    if (indptr[row + 1]! < indptr[row]!)
      problems.at(
        row,
        "indptr",
        `its entries end at ${indptr[row + 1]}, before they begin at ${indptr[row]}`,
      );
  if (indptr[nRows] !== data.length)
    problems.add("indptr", `expected to end at the ${data.length} entries, found ${indptr[nRows]}`);
}

/** At most one problem per cell and field: a file of normalised values has as many as entries. */
function checkEntries(rows: QueryRows, nGenes: number, problems: Problems): void {
  const { nRows, indptr, indices, data } = rows;
  for (let row = 0; row < nRows; row++) {
    let badIndex = -1;
    let badValue = -1;
    for (let at = indptr[row]!; at < indptr[row + 1]!; at++) {
      if (badIndex < 0 && indices[at]! >= nGenes) badIndex = at;
      if (badValue < 0 && !(data[at]! >= 0 && data[at]! < Number.POSITIVE_INFINITY)) badValue = at;
    }
    if (badIndex >= 0)
      problems.at(row, "indices", `names gene ${indices[badIndex]} of ${nGenes}; positions count from 0`);
    if (badValue >= 0)
      problems.at(row, "data", `expected counts, finite and not negative, found ${data[badValue]}`);
  }
}

function checkTotals({ nRows, indptr, data, totals }: QueryRows, problems: Problems): void {
  if (totals.length === 0) return;
  for (let row = 0; row < nRows; row++) {
    const total = totals[row]!;
    if (!(total >= 0 && total < Number.POSITIVE_INFINITY))
      problems.at(row, "total_counts", `expected a finite number, not negative, found ${total}`);
    else if (total === 0 && data.subarray(indptr[row], indptr[row + 1]).some((value) => value > 0))
      problems.at(row, "total_counts", "is 0, but the cell has counts");
  }
}

interface Problems {
  add(field: string, description: string): void;
  at(row: number, field: string, description: string): void;
  raise(): void;
}

function createProblems(cellIds: readonly string[]): Problems {
  const listed: Violation[] = [];
  let count = 0;
  const add = (field: string, description: string) => {
    count += 1;
    if (listed.length < maxListed) listed.push({ field: `rows.${field}`, description });
  };
  return {
    add,
    at: (row, field, description) =>
      add(field, `cell ${JSON.stringify((cellIds[row] ?? "").slice(0, 100))} (row ${row}): ${description}`),
    raise() {
      if (count === 0) return;
      const told = listed.map(({ field, description }) => `${field}: ${description}`).join("; ");
      const rest = count > listed.length ? `; and ${count - listed.length} more` : "";
      throw new InferenceError("invalid-rows", `the rows cannot be used: ${told}${rest}`, {
        violations: listed,
      });
    },
  };
}

/** Rows in the columns of a model, with the totals to normalise by. */
export interface AlignedRows {
  readonly rows: CsrRowsLike;
  readonly totals: Float64Array;
}

/**
 * Put rows into a model's columns: entries of the same gene are added, genes the model does not know are dropped. Totals that the rows do
 * not bring are their sums over all genes of the query, before any is dropped.
 *
 * @param columns from `mapGenes`; undefined when the rows are in the model's order already.
 */
export function alignRows(query: QueryRows, columns: Int32Array | undefined, nCols: number): AlignedRows {
  const { nRows, indptr: offsets, indices: genes, data: counts } = query;
  const indptr = new Float64Array(nRows + 1);
  const indices = new Int32Array(genes.length);
  const data = new Float64Array(genes.length);
  const sums = new Float64Array(nRows);
  /** Where each column of the current row was written; before `begin`: not in this row. */
  const written = new Int32Array(nCols).fill(-1);
  let end = 0;
  for (let row = 0; row < nRows; row++) {
    const begin = end;
    for (let at = offsets[row]!; at < offsets[row + 1]!; at++) {
      const value = counts[at]!;
      sums[row] = sums[row]! + value;
      const gene = genes[at]!;
      const column = columns === undefined ? gene : columns[gene]!;
      if (column < 0) continue;
      const before = written[column]!;
      if (before >= begin) data[before] = data[before]! + value;
      else {
        written[column] = end;
        indices[end] = column;
        data[end++] = value;
      }
    }
    indptr[row + 1] = end;
  }
  return {
    rows: { nRows, nCols, indptr, indices: indices.subarray(0, end), data: data.subarray(0, end) },
    totals: query.totals.length === 0 ? sums : Float64Array.from(query.totals),
  };
}
