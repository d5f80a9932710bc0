import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { DuckDBDataChunk, VARCHAR } from "@duckdb/node-api";
import { noCellsError } from "./count-cells.ts";
import { ASSIGNMENTS, FEATURES, MEASURED, readCurriculum } from "./curriculum.ts";
import { addFingerprints, deal, selectInto } from "./deal.ts";
import { type Duck, throwIfAborted, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { createdBy, describeFile, exists, MANIFEST, writeJson } from "./files.ts";
import { freeColumn, reservedObsNames } from "./names.ts";
import { identity, type Plan, planCurriculum } from "./plan.ts";
import { copyToParquet, quoteIdentifier, quoteText, readParquet } from "./sql.ts";
import type { CurriculumBin, CurriculumColumn, CurriculumManifest, CurriculumRequest } from "./types.ts";
import { fillStrings, VECTOR_ROWS, vectorOf } from "./vectors.ts";

export interface PrepareOptions {
  ingestDirs: string[];
  request: CurriculumRequest;
  /** Local folder; created when missing. */
  outDir: string;
  signal?: AbortSignal;
}

const GROUP_ROWS = 16_384;

/**
 * Deals the cells that pass the filters into bins and writes `assignments.parquet`, `features.json`, `measured_genes.parquet` and, last,
 * `manifest.json`. Rank = row_number over FARM_FINGERPRINT(id + seed) ascending, ties by id; bin = floor((rank − 1) / binSize). With keys the
 * ranks count within a key, and bins are numbered over (key, chunk), cells with a missing key first.
 * The same request on the same ingests gives the same bytes, whatever the order of `ingestDirs`; asked again, it returns what is there.
 * Throws `invalid_request`, `invalid_filter`, `unknown_column`, `no_cells`, `already_exists` (another curriculum lives in outDir).
 */
export async function prepareCurriculum(o: PrepareOptions): Promise<CurriculumManifest> {
  throwIfAborted(o.signal);
  const plan = await planCurriculum(o.ingestDirs, o.request);
  if (await exists(join(o.outDir, MANIFEST))) return existing(o.outDir, plan);
  await mkdir(o.outDir, { recursive: true });
  return withDuck({ signal: o.signal }, async (duck) => {
    await selectInto(duck, plan);
    const fingerprinted = await addFingerprints(duck, plan.request.seed, o.signal);
    if (fingerprinted === 0) throw await noCellsError(duck, plan.ingests, plan.filters, plan.columns);
    await deal(duck, plan);
    return writeCurriculum(duck, plan, o.outDir);
  });
}

async function existing(outDir: string, plan: Plan): Promise<CurriculumManifest> {
  const found = await readCurriculum(outDir);
  const wanted = { ...identity(plan), obsColumns: plan.request.obsColumns };
  const same = Object.entries(wanted).every(([key, value]) => {
    const there =
      key === "obsColumns" ? found.obsColumns.map((c) => c.name) : found[key as keyof typeof found];
    return isDeepStrictEqual(there, value);
  });
  if (same) return found;
  throw new OmicsStoreError(
    "already_exists",
    `${outDir} holds a curriculum of another request; choose another folder`,
  );
}

async function writeCurriculum(duck: Duck, plan: Plan, outDir: string): Promise<CurriculumManifest> {
  const { request } = plan;
  const { obsColumns, categories } = await describeColumns(duck, plan);
  const bins = await describeBins(duck, plan.keys.length > 0);
  const extra = obsColumns.map((c, i) => `, w${i} AS ${quoteIdentifier(c.column)}`).join("");
  const assignments = `SELECT extract_bin, position, cell_id, ingest_id, finger AS farm_finger, n_counts,
    CAST(nnz AS INTEGER) AS nnz${extra} FROM dealt ORDER BY extract_bin, position`;
  await copyInPlace(duck, assignments, outDir, ASSIGNMENTS);
  await writeMeasured(duck, plan, outDir);
  await writeJson(join(outDir, FEATURES), request.features);
  const files = [];
  for (const name of [ASSIGNMENTS, FEATURES, MEASURED]) files.push(await describeFile(outDir, name));
  const manifest: CurriculumManifest = {
    version: 1,
    cells: bins.reduce((sum, b) => sum + b.cells, 0),
    nnz: bins.reduce((sum, b) => sum + b.nnz, 0),
    lastBinCells: bins.at(-1)!.cells,
    ...identity(plan),
    bins,
    obsColumns,
    categories,
    files,
    createdBy: createdBy(),
  };
  await writeJson(join(outDir, MANIFEST), manifest);
  return manifest;
}

async function copyInPlace(duck: Duck, query: string, dir: string, name: string): Promise<void> {
  const temporary = join(dir, `${name}.tmp`);
  await duck.run(copyToParquet(query, temporary, GROUP_ROWS)).catch(async (error: unknown) => {
    await rm(temporary, { force: true });
    throw error;
  });
  await rename(temporary, join(dir, name));
}

async function describeBins(duck: Duck, keyed: boolean): Promise<CurriculumBin[]> {
  const rows = await duck.rows(
    `SELECT extract_bin, count(*), CAST(sum(nnz) AS BIGINT), any_value(bin_key) FROM dealt GROUP BY extract_bin ORDER BY extract_bin`,
  );
  return rows.map(([bin, cells, nnz, key]) => ({
    bin: Number(bin),
    cells: Number(cells),
    nnz: Number(nnz),
    ...(keyed ? { key: key === null ? null : String(key) } : {}),
  }));
}

async function describeColumns(
  duck: Duck,
  plan: Plan,
): Promise<{ obsColumns: CurriculumColumn[]; categories: Record<string, string[]> }> {
  const taken = new Set<string>();
  const limit = plan.request.categoryLimit;
  const obsColumns: CurriculumColumn[] = [];
  // Object.fromEntries, not assignment: a column may be called "__proto__".
  const categories: [string, string[]][] = [];
  for (const [i, { name, type }] of plan.wanted.slice(0, plan.request.obsColumns.length).entries()) {
    const [row] = await duck.rows(`SELECT count(*) > count(w${i}) FROM dealt`);
    let categorical = false;
    if (type === "string") {
      const values = await duck.rows(
        `SELECT DISTINCT w${i} AS v FROM dealt WHERE w${i} IS NOT NULL ORDER BY v LIMIT ${limit + 1}`,
      );
      categorical = values.length <= limit;
      if (categorical) categories.push([name, values.map(([v]) => String(v))]);
    }
    const base = reservedObsNames.has(name) ? `obs_${name}` : name;
    obsColumns.push({
      name,
      type,
      column: freeColumn(base, taken, reservedObsNames),
      nullable: row![0] === true,
      categorical,
    });
  }
  return { obsColumns, categories: Object.fromEntries(categories) };
}

/** One row per ingest: whether each gene of the schema was measured there, in schema order. */
async function writeMeasured(duck: Duck, plan: Plan, outDir: string): Promise<void> {
  const { features } = plan.request;
  await duck.run("CREATE TABLE schema_genes (feature VARCHAR)");
  const appender = await duck.connection.createAppender("schema_genes");
  const encoder = new TextEncoder();
  for (let from = 0; from < features.length; from += VECTOR_ROWS) {
    const n = Math.min(VECTOR_ROWS, features.length - from);
    const chunk = DuckDBDataChunk.create([VARCHAR], n);
    fillStrings(vectorOf(chunk, 0), n, (i) => encoder.encode(features[from + i]));
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  await duck.run("CREATE TABLE measured (ingest_id VARCHAR, measured_count INTEGER, measured BOOLEAN[])");
  for (const { dir, manifest } of plan.ingests)
    await duck.run(
      `INSERT INTO measured
       SELECT ${quoteText(manifest.ingestId)}, count(m.feature), list(m.feature IS NOT NULL ORDER BY s.rowid)
       FROM (SELECT rowid, feature FROM schema_genes) s
       LEFT JOIN (SELECT DISTINCT feature FROM ${readParquet([join(dir, "features.parquet")])}) m USING (feature)`,
    );
  await copyInPlace(duck, "SELECT * FROM measured", outDir, MEASURED);
}
