import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createObjectStore, toUri } from "@cytomesh/object-store";
import { extractBins, type ObsColumn, prepareCurriculum, readIngestFeatures } from "@cytomesh/omics-store";
import { createTaskPool } from "@cytomesh/service-kit";
import type { IngestDeps } from "../services/ingest-file.ts";
import { fakeCatalog } from "./fake-catalog.ts";

/** The threads of all worlds of a test file; close them after its tests. */
export const pool = createTaskPool(new URL("../services/tasks.ts", import.meta.url), { threads: 1 });

/** A store, a catalog and a place for files. */
export async function makeWorld() {
  const root = await mkdtemp(join(tmpdir(), "ingest-"));
  const tempDir = join(root, "tmp");
  await mkdir(tempDir);
  const store = createObjectStore();
  const storeDir = join(root, "store");
  const fake = fakeCatalog();
  const deps: IngestDeps = {
    store,
    storeUri: toUri(storeDir),
    tempDir,
    catalog: fake.catalog,
    pool,
    readerTimeoutMs: 60_000,
    encoding: "delta",
  };
  return {
    ...fake,
    deps,
    tempDir,
    storeDir,
    path: (name: string) => join(root, name),
    ingestDir: (dataset: string, id: string) => join(storeDir, "datasets", dataset, "ingests", id),
    /** Every file of the store with its bytes. */
    async stored(): Promise<Record<string, string>> {
      const entries = await readdir(storeDir, { recursive: true, withFileTypes: true }).catch(() => []);
      const files = entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name));
      const read = files.map(async (file) => [
        relative(storeDir, file),
        (await readFile(file)).toString("base64"),
      ]);
      return Object.fromEntries((await Promise.all(read)).sort());
    },
    async close() {
      await store.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** What a test finds in an ingest: dense rows in the order of the cells, the columns asked for. */
export interface Stored {
  readonly features: string[];
  readonly cellIds: number[];
  readonly dense: number[][];
  readonly obs: Record<string, (string | number | boolean | null)[]>;
}

/** Read an ingest back by way of a curriculum over all its cells and features. */
export async function readBack(
  ingestDir: string,
  outDir: string,
  obsColumns: readonly string[] = [],
): Promise<Stored> {
  const features = [...new Set(await readIngestFeatures(ingestDir))];
  const request = { filters: {}, features, binSize: 1_000_000, seed: 0, obsColumns: [...obsColumns] };
  await prepareCurriculum({ ingestDirs: [ingestDir], outDir, request });
  const cells: { id: number; row: number[]; obs: Record<string, string | number | boolean | null> }[] = [];
  await extractBins({
    ingestDirs: [ingestDir],
    curriculumDir: outDir,
    bins: [0],
    async onBin({ rows, cellIds, obs }) {
      for (const [i, id] of cellIds.entries()) {
        const row = new Array<number>(features.length).fill(0);
        for (let k = rows.indptr[i] ?? 0; k < (rows.indptr[i + 1] ?? 0); k++)
          row[rows.indices[k] ?? 0] = rows.data[k] ?? 0;
        const values = obsColumns.map((name) => [name, valueAt(obs[name] as ObsColumn, i)] as const);
        cells.push({ id, row, obs: Object.fromEntries(values) });
      }
    },
  });
  cells.sort((a, b) => a.id - b.id);
  return {
    features,
    cellIds: cells.map((cell) => cell.id),
    dense: cells.map((cell) => cell.row),
    obs: Object.fromEntries(obsColumns.map((name) => [name, cells.map((cell) => cell.obs[name] ?? null)])),
  };
}

function valueAt(column: ObsColumn, row: number): string | number | boolean | null {
  if (column.kind === "categorical") return column.categories[column.codes[row] ?? -1] ?? null;
  const value = column.values[row] ?? null;
  if ("mask" in column && column.mask?.[row] === 1) return null;
  if (column.kind === "boolean") return value === 1;
  return typeof value === "number" && Number.isNaN(value) ? null : value;
}
