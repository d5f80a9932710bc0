import type { CsrRows } from "@cytomesh/anndata";
import { type PackedCellRows, packCellRows } from "@cytomesh/contracts/cell-rows";

/** Rows and bytes of one message at most; a single row that is larger travels alone. */
export const maxRowsPerMessage = 1_000;
export const maxBytesPerMessage = 8 * 1024 * 1024;

/** Last row (exclusive) of the message that begins at `start`. */
function messageEnd(rows: CsrRows, cellIds: readonly string[], start: number): number {
  let bytes = 0;
  let end = start;
  while (end < rows.nRows && end - start < maxRowsPerMessage) {
    // 4 bytes of index and 4 of value per entry, 8 of offset and total per row, and the id with its length.
    bytes += (rows.indptr[end + 1]! - rows.indptr[end]!) * 8 + 8 + cellIds[end]!.length * 3 + 4;
    if (bytes > maxBytesPerMessage && end > start) break;
    end++;
  }
  return end;
}

/**
 * Cut rows into messages.
 *
 * @param cellIds one per row
 * @param totals one per row: total counts over all measured genes; undefined: the sums of the rows
 */
export function* packRows(
  rows: CsrRows,
  cellIds: readonly string[],
  totals: Float32Array | undefined,
): Generator<PackedCellRows> {
  for (let start = 0; start < rows.nRows; ) {
    const end = messageEnd(rows, cellIds, start);
    const part = { ...rows, nRows: end - start, indptr: rows.indptr.subarray(start, end + 1) };
    yield packCellRows(part, cellIds.slice(start, end), totals?.subarray(start, end) ?? []);
    start = end;
  }
}
