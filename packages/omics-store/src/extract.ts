import type { MatrixRoom } from "./bin-matrix.ts";
import { dealRows } from "./deal-rows.ts";
import { throwIfAborted, withDuck } from "./duck.ts";
import { type BinGroup, finishBin, openGroup } from "./extract-group.ts";
import { type Extraction, type ExtractionRequest, planExtraction } from "./extraction.ts";
import type { BinData, CurriculumBin } from "./types.ts";

export interface ExtractProgress {
  binsDone: number;
  binsTotal: number;
  /** Cells dealt into bins, of all that the requested bins hold. */
  cellsDone: number;
  cellsTotal: number;
}

export interface ExtractOptions extends ExtractionRequest {
  /** Called once per bin, in the order of `bins`, and awaited. */
  onBin(bin: BinData): Promise<void>;
  onProgress?(progress: ExtractProgress): void;
}

/**
 * Reads the requested bins of a curriculum in one pass over the ingests per group of bins that fits the memory.
 * Rows come in rank order, columns in schema order; genes outside the schema are dropped, repeated features summed, missing ones zero.
 * Counts are float32: whole numbers above 2^24 are rounded. Memory is `memoryBytes`, a page, and DuckDB's own
 * for reading the assignments.
 * Throws `ingest_mismatch` when an ingest of the curriculum is missing or differs, `corrupt` when stored cells are missing,
 * `invalid_request`, `not_found`, `cancelled`, and whatever `onBin` throws.
 */
export async function extractBins(o: ExtractOptions): Promise<void> {
  const { signal } = o;
  throwIfAborted(signal);
  await withDuck({ signal }, async (duck) => {
    const extraction = await planExtraction(duck, o);
    const progress: ExtractProgress = {
      binsDone: 0,
      binsTotal: o.bins.length,
      cellsDone: 0,
      cellsTotal: extraction.groups.flat().reduce((sum, b) => sum + b.cells, 0),
    };
    for (const bins of extraction.groups) {
      const { heads, dealing } = await openGroup(duck, extraction, bins, { signal });
      const onCells = (cells: number): void => {
        progress.cellsDone += cells;
        o.onProgress?.({ ...progress });
      };
      await dealRows(dealing, { signal, onCells });
      for (const head of heads) {
        throwIfAborted(signal);
        await o.onBin(finishBin(head, dealing.matrices.shift()!, dealing.nCols));
        progress.binsDone++;
        o.onProgress?.({ ...progress });
      }
    }
  });
}

/**
 * The same for several threads, whose steps the caller spreads: `openExtraction`, and for each of its groups `openBinGroup`, with a room of
 * `roomBytes` that one group after the other uses, `dealRows` in as many threads as there are, and when all of these are done `finishBin`. What
 * the steps return can be sent to other threads.
 */
export async function openExtraction(request: ExtractionRequest): Promise<Extraction> {
  const { signal } = request;
  return withDuck({ signal }, (duck) => planExtraction(duck, request));
}

/** See `openExtraction`. Nothing is written to the room yet. */
export function openBinGroup(
  extraction: Extraction,
  bins: CurriculumBin[],
  room: MatrixRoom,
  signal?: AbortSignal,
): Promise<BinGroup> {
  return withDuck({ signal }, (duck) => openGroup(duck, extraction, bins, { room, signal }));
}
