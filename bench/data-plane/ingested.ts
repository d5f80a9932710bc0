import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { profileOf } from "../../packages/anndata/src/index.ts";
import { createObjectStore, toUri } from "../../packages/object-store/src/index.ts";
import { createTaskPool, type TaskPool } from "../../packages/service-kit/src/index.ts";
import type { ConvertOptions } from "../../services/ingest/src/schemas/plan.ts";
import { convertFile } from "../../services/ingest/src/services/convert-file.ts";
import { ingestFile } from "../../services/ingest/src/services/ingest-file.ts";
import { fakeCatalog } from "../../services/ingest/src/testing/fake-catalog.ts";

/** The options of a plain ingest of X. */
export const plainOptions: ConvertOptions = {
  obsMapping: {},
  featureIdColumn: "index",
  matrix: "x",
  layer: "",
  allowNonCounts: false,
  allFeatureTypes: false,
};

export const threads = 2;

/** The threads that the service converts with. */
export function ingestPool(): TaskPool {
  const tasks = new URL("../../services/ingest/src/services/tasks.ts", import.meta.url);
  return createTaskPool(tasks, { threads });
}

/** Converts a study's file into an ingest below `root`, and says where it is. */
export async function ingestStudy(path: string, root: string): Promise<string> {
  const outDir = join(root, "ingest");
  const pool = ingestPool();
  try {
    await convertStudy(pool, path, outDir);
  } finally {
    await pool.close();
  }
  return outDir;
}

/** Only the conversion, with threads that may be warm. */
export async function convertStudy(pool: TaskPool, path: string, outDir: string): Promise<void> {
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
}

/** All that the service does with a file, into a folder store at `dir`, with threads of its own: where the ingest is. */
export async function ingestThroughService(path: string, dir: string): Promise<string> {
  await mkdir(join(dir, "tmp"), { recursive: true });
  const store = createObjectStore();
  const pool = ingestPool();
  const { catalog } = fakeCatalog();
  await catalog.ensureDataset("d");
  try {
    const { ingestId } = await ingestFile(
      {
        store,
        storeUri: toUri(dir),
        tempDir: join(dir, "tmp"),
        catalog,
        pool,
        readerTimeoutMs: 120_000,
        encoding: "delta",
      },
      {
        uri: toUri(path),
        dataset: "d",
        options: plainOptions,
        vetting: { profile: profileOf("minimal"), asked: false, everyValue: false },
        validateOnly: false,
        jobId: "j",
        tag: "",
        signal: new AbortController().signal,
        onCells: () => undefined,
      },
    );
    return join(dir, "datasets", "d", "ingests", ingestId);
  } finally {
    await pool.close();
    await store.close();
  }
}
