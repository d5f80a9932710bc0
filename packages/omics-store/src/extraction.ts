import { join } from "node:path";
import { groupBins } from "./bin-groups.ts";
import { type FeatureMap, roomBytes, sharedInts } from "./bin-matrix.ts";
import { readCurriculum, readFeatures } from "./curriculum.ts";
import { type Duck, eachChunk, throwIfAborted } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { type Ingest, openIngests } from "./ingests.ts";
import { readParquet } from "./sql.ts";
import type { CurriculumBin, CurriculumManifest } from "./types.ts";
import { viewInts } from "./vectors.ts";

/** What is to be extracted, checked; can be sent to other threads. */
export interface Extraction {
  curriculumDir: string;
  manifest: CurriculumManifest;
  ingests: { ingest: Ingest; map: FeatureMap }[];
  nCols: number;
  /** Bins in the requested order, cut into groups that fit the memory together. */
  groups: CurriculumBin[][];
  /** Bytes of each array of a room that any of the groups fits. */
  roomBytes: number;
}

export interface ExtractionRequest {
  ingestDirs: string[];
  curriculumDir: string;
  bins: number[];
  /** For the matrices and obs of the bins open at once. Default 512 MiB; one bin is the least. */
  memoryBytes?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Checks a request against the curriculum and its ingests. Throws `ingest_mismatch` when an ingest is missing or differs,
 * `invalid_request`, `not_found`, `corrupt`, `cancelled`.
 */
export async function planExtraction(duck: Duck, o: ExtractionRequest): Promise<Extraction> {
  throwIfAborted(o.signal);
  const manifest = await readCurriculum(o.curriculumDir);
  const matched = matchIngests(manifest, await openIngests(o.ingestDirs));
  const groups = groupBins(manifest, o.bins, o.memoryBytes);
  const features = await readFeatures(o.curriculumDir);
  const columnOf = new Map(features.map((feature, i) => [feature, i]));
  const ingests = [];
  for (const ingest of matched)
    ingests.push({ ingest, map: await featureMap(duck, ingest, columnOf, o.signal) });
  return {
    curriculumDir: o.curriculumDir,
    manifest,
    ingests,
    nCols: features.length,
    groups,
    roomBytes: roomBytes(groups),
  };
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

async function featureMap(
  duck: Duck,
  { manifest, dir }: Ingest,
  columnOf: ReadonlyMap<string, number>,
  signal: AbortSignal | undefined,
): Promise<FeatureMap> {
  const columns = sharedInts(manifest.features).fill(-1);
  const result = await duck.stream(
    `SELECT var_position, feature FROM ${readParquet([join(dir, "features.parquet")])}`,
  );
  await eachChunk(signal, result, (chunk) => {
    const position = viewInts(chunk, 0);
    const feature = chunk.getColumnVector(1);
    for (let i = 0; i < chunk.rowCount; i++)
      columns[position[i]!] = columnOf.get(String(feature.getItem(i))) ?? -1;
  });
  return { start: manifest.featureIdStart, columns, same: columns.every((column, i) => column === i) };
}
