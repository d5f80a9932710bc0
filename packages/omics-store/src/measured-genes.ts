import { join } from "node:path";
import { MEASURED, readCurriculum } from "./curriculum.ts";
import { withDuck } from "./duck.ts";
import { readParquet } from "./sql.ts";

export interface MeasuredGenes {
  ingestId: string;
  /** Per schema gene: 1 where the ingest measured it, so that a zero count means zero. */
  measured: Uint8Array;
}

/** Which genes of the schema each ingest of a curriculum measured, ingests in manifest order. Throws `not_found`. */
export async function readMeasuredGenes(
  curriculumDir: string,
  options: { signal?: AbortSignal } = {},
): Promise<MeasuredGenes[]> {
  const manifest = await readCurriculum(curriculumDir);
  return withDuck(options, async (duck) => {
    // A string of 0 and 1 crosses the boundary as one value; a list would come element by element.
    const rows = await duck.rows(
      `SELECT ingest_id, list_aggregate(list_transform(measured, lambda m: CASE WHEN m THEN '1' ELSE '0' END), 'string_agg', '')
       FROM ${readParquet([join(curriculumDir, MEASURED)])}`,
    );
    const byId = new Map(rows.map(([id, bits]) => [String(id), String(bits)]));
    return manifest.ingests.map(({ ingestId }) => ({
      ingestId,
      measured: Uint8Array.from(byId.get(ingestId) ?? "", (bit) => (bit === "1" ? 1 : 0)),
    }));
  });
}
