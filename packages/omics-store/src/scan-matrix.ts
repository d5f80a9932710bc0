import { join } from "node:path";
import { throwIfAborted } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { openIngest } from "./ingests.ts";
import { openMatrixFile } from "./parquet/matrix-file.ts";
import { createMatrixMemory } from "./parquet/matrix-memory.ts";

/** Lists of consecutive cells. Arrays are views that the next batch overwrites: copy what outlives the call. */
export interface MatrixBatch {
  /** Id of the first cell; ids are consecutive. */
  firstCellId: number;
  cells: number;
  /** Where every cell's lists begin in the two arrays; cells + 1 entries, from 0. */
  offsets: Int32Array;
  featureIds: Int32Array;
  counts: Int32Array | Float32Array;
}

export interface ScanOptions {
  /** Cell ids `from` (inclusive) to `to` (exclusive); default all. Pages without any of them are not read. */
  from?: number;
  to?: number;
  signal?: AbortSignal;
}

/**
 * Hands out the lists of an ingest in cell order, a page (some hundred cells) at a time; `visit` may stop the scan by returning false.
 * Runs in the calling thread, which others share: it pauses between pages. Throws `not_found`, `corrupt`, `invalid_request`, `cancelled`.
 */
export async function scanMatrix(
  ingestDir: string,
  visit: (batch: MatrixBatch) => unknown,
  options: ScanOptions = {},
): Promise<void> {
  const { dir, manifest } = await openIngest(ingestDir);
  const { from = manifest.cellIdStart, to = manifest.cellIdStart + manifest.cells } = options;
  if (!(from <= to))
    throw new OmicsStoreError("invalid_request", `cells ${from} to ${to} were asked for, which is no range`);
  const memory = createMatrixMemory();
  let firstId = manifest.cellIdStart;
  for (const { name, rows } of manifest.files) {
    if (!name.startsWith("cells-")) continue;
    const start = firstId;
    firstId += rows;
    if (start >= to || firstId <= from) continue;
    const file = openMatrixFile(join(dir, name), { rows, countsType: manifest.countsType }, memory);
    try {
      for (const page of file.pages) {
        const pageId = start + page.firstRow;
        const [first, end] = [Math.max(from, pageId) - pageId, Math.min(to, pageId + page.rows) - pageId];
        if (first >= end) continue;
        throwIfAborted(options.signal);
        const decoded = file.decode(page);
        const base = decoded.offsets[first]!;
        const nnz = decoded.offsets[end]! - base;
        const counts = decoded.counts + base * 4;
        const goOn = visit({
          firstCellId: pageId + first,
          cells: end - first,
          offsets: decoded.offsets.subarray(first, end + 1).map((offset) => offset - base),
          featureIds: memory.ints(decoded.ids + base * 4, nnz),
          counts: manifest.countsType === "int32" ? memory.ints(counts, nnz) : memory.floats(counts, nnz),
        });
        if (goOn === false) return;
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      file.close();
    }
  }
}
