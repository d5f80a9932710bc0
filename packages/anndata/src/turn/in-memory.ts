import { canonicalRows } from "../canonical.ts";
import {
  checkIndices,
  checkOffsets,
  readIndices,
  readOffsets,
  readValues,
  toValues,
} from "../compressed-arrays.ts";
import { valueArray } from "../matrix.ts";
import type { ParallelOptions } from "../storage.ts";
import type { CsrRows } from "../types.ts";
import { type ColumnMatrix, readAhead, readPart, type VisitColumn, visitBlock } from "./blocks.ts";
import { countRows } from "./partition.ts";

/** Entries that threads decode at a time. */
const parallelEntries = 4 * 1024 * 1024;

/** All rows of a matrix that fits into memory: its indices are counted, then its entries put there. Besides the rows the indices are held. */
export function turnInMemory(matrix: ColumnMatrix): CsrRows {
  const { arrays, nCols, blockEntries } = matrix;
  const offsets = readOffsets(arrays, 0, nCols);
  const rows = readIndices(arrays, 0, arrays.nnz);
  const filling = fillRows(matrix, rows);
  for (let from = 0; from < arrays.nnz; from += blockEntries) {
    const to = Math.min(arrays.nnz, from + blockEntries);
    visitBlock(offsets, from, rows.subarray(from, to), readValues(arrays, from, to), filling.add);
  }
  return filling.done();
}

/** The same with arrays that several threads decode. */
export async function turnInParallel(matrix: ColumnMatrix, options: ParallelOptions): Promise<CsrRows> {
  const { arrays, nCols } = matrix;
  const { nnz } = arrays;
  const offsets = checkOffsets(arrays, 0, await readPart(arrays, arrays.indptr, 0, nCols + 1, options));
  const rows = checkIndices(arrays, 0, await readPart(arrays, arrays.indices, 0, nnz, options));
  const filling = fillRows(matrix, rows);
  for await (const { from, to, values } of readAhead(arrays, parallelEntries, [arrays.data], options)) {
    visitBlock(offsets, from, rows.subarray(from, to), toValues(arrays, values[0]!), filling.add);
  }
  return filling.done();
}

/** Rows as they fill: every one has its place. Columns come in order, so every row is sorted. */
interface Filling {
  add: VisitColumn;
  done(): CsrRows;
}

function fillRows({ arrays, nRows, nCols }: ColumnMatrix, all: Int32Array): Filling {
  const { nnz } = arrays;
  const indptr = new Float64Array(nRows + 1);
  countRows(all, indptr.subarray(1));
  for (let row = 0; row < nRows; row++) indptr[row + 1]! += indptr[row]!;
  const next = Int32Array.from(indptr);
  const indices = new Int32Array(nnz);
  const values = valueArray(arrays.dtype, nnz);
  return {
    add: (rows, column, from, to, data) => {
      for (let i = from; i < to; i++) {
        const row = rows[i]!;
        const at = next[row]!;
        next[row] = at + 1;
        indices[at] = column;
        values[at] = data[i]!;
      }
    },
    done: () => canonicalRows({ nRows, nCols, indptr, indices, data: values }),
  };
}
