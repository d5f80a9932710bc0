import { groupBins } from "./bin-groups.ts";
import { createScratch } from "./bin-matrix.ts";
import { readCurriculum, readFeatures } from "./curriculum.ts";
import { dealRows } from "./deal-rows.ts";
import { throwIfAborted, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { type ExtractContext, finishBin, openGroup } from "./extract-group.ts";
import { type Ingest, openIngests } from "./ingests.ts";
import { createMatrixMemory } from "./parquet/matrix-memory.ts";
import type { BinData, CurriculumManifest } from "./types.ts";

export interface ExtractProgress {
  binsDone: number;
  binsTotal: number;
  /** Cells dealt into bins, of all that the requested bins hold. */
  cellsDone: number;
  cellsTotal: number;
}

export interface ExtractOptions {
  ingestDirs: string[];
  curriculumDir: string;
  bins: number[];
  /** For the matrices and obs of the bins open at once. Default 512 MiB; one bin is the least. */
  memoryBytes?: number;
  signal?: AbortSignal;
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
  throwIfAborted(o.signal);
  const manifest = await readCurriculum(o.curriculumDir);
  const ingests = matchIngests(manifest, await openIngests(o.ingestDirs));
  const groups = groupBins(manifest, o.bins, o.memoryBytes);
  const features = await readFeatures(o.curriculumDir);
  const progress: ExtractProgress = {
    binsDone: 0,
    binsTotal: o.bins.length,
    cellsDone: 0,
    cellsTotal: groups.flat().reduce((sum, b) => sum + b.cells, 0),
  };
  await withDuck({ signal: o.signal }, async (duck) => {
    const context: ExtractContext = {
      duck,
      curriculumDir: o.curriculumDir,
      manifest,
      ingests,
      nCols: features.length,
      maps: new Map(),
      columnOf: new Map(features.map((f, i) => [f, i])),
      scratch: createScratch(features.length),
      memory: createMatrixMemory(),
      signal: o.signal,
    };
    for (const bins of groups) {
      const group = await openGroup(context, bins);
      for (const part of group.parts)
        await dealRows(context, group, part, (cells) => {
          progress.cellsDone += cells;
          o.onProgress?.({ ...progress });
        });
      for (let i = 0; i < bins.length; i++) {
        throwIfAborted(o.signal);
        await o.onBin(finishBin(context, group, i));
        progress.binsDone++;
        o.onProgress?.({ ...progress });
      }
    }
  });
}

function matchIngests(manifest: CurriculumManifest, given: Ingest[]): Ingest[] {
  const byId = new Map(given.map((i) => [i.manifest.ingestId, i]));
  return manifest.ingests.map(({ ingestId, manifestSha256 }) => {
    const found = byId.get(ingestId);
    if (found === undefined)
      throw new OmicsStoreError(
        "ingest_mismatch",
        `the curriculum needs ingest ${ingestId}, which was not given`,
      );
    if (found.manifestSha256 !== manifestSha256)
      throw new OmicsStoreError(
        "ingest_mismatch",
        `ingest ${ingestId} in ${found.dir} is not the one that the curriculum was prepared from (manifest differs); prepare it again`,
      );
    return found;
  });
}
