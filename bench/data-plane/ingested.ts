import { join } from "node:path";
import { createTaskPool } from "../../packages/service-kit/src/index.ts";
import type { ConvertOptions } from "../../services/ingest/src/schemas/plan.ts";
import { convertFile } from "../../services/ingest/src/services/convert-file.ts";

/** The options of a plain ingest of X. */
export const plainOptions: ConvertOptions = {
  obsMapping: {},
  featureIdColumn: "index",
  matrix: "x",
  layer: "",
  allowNonCounts: false,
  allFeatureTypes: false,
};

/** Converts a study's file into an ingest below `root`, and says where it is. */
export async function ingestStudy(path: string, root: string): Promise<string> {
  const outDir = join(root, "ingest");
  const pool = createTaskPool(new URL("../../services/ingest/src/services/tasks.ts", import.meta.url), {
    threads: 2,
  });
  try {
    await convertFile(pool, {
      path,
      outDir,
      ingestId: "study",
      cellIdStart: 0,
      featureIdStart: 0,
      sourceName: "study.h5ad",
      sha256: "0".repeat(64),
      options: plainOptions,
      encoding: "delta",
      signal: new AbortController().signal,
      onCells: () => undefined,
    });
  } finally {
    await pool.close();
  }
  return outDir;
}
