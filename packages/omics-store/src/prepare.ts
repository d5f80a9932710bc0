import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { BIGINT, DuckDBDataChunk, VARCHAR } from "@duckdb/node-api";
import { pickColumns, selectCells } from "./cell-query.ts";
import { noCellsError } from "./count-cells.ts";
import {
  ASSIGNMENTS,
  type CheckedRequest,
  FEATURES,
  MEASURED,
  parseRequest,
  readCurriculum,
} from "./curriculum.ts";
import { type Duck, guarded, throwIfAborted, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { createdBy, describeFile, exists, MANIFEST, sha256Hex, writeJson } from "./files.ts";
import { type Filter, parseFilters } from "./filters.ts";
import { farmFingerprintIds } from "./fingerprint-ids.ts";
import { type Ingest, openIngests, unifiedColumns } from "./ingests.ts";
import { freeColumn, reservedObsNames } from "./names.ts";
import { copyToParquet, quoteIdentifier, quoteText, readParquet } from "./sql.ts";
import { sqlType } from "./store-columns.ts";
import type {
  ColumnType,
  CurriculumBin,
  CurriculumColumn,
  CurriculumManifest,
  CurriculumRequest,
} from "./types.ts";
import { fillFixed, fillStrings, VECTOR_ROWS, vectorOf, viewBigInts } from "./vectors.ts";

export interface PrepareOptions {
  ingestDirs: string[];
  request: CurriculumRequest;
  /** Local folder; created when missing. */
  outDir: string;
  signal?: AbortSignal;
}

const GROUP_ROWS = 16_384;

interface Plan {
  ingests: Ingest[];
  columns: ColumnType[];
  request: CheckedRequest;
  filters: Filter[];
  /** Obs columns, then key columns that are not among them. */
  wanted: ColumnType[];
  keys: number[];
}

/**
 * Deals the cells that pass the filters into bins and writes `assignments.parquet`, `features.json`, `measured_genes.parquet` and, last,
 * `manifest.json`. Rank = row_number over FARM_FINGERPRINT(id + seed) ascending, ties by id; bin = floor((rank − 1) / binSize). With keys the
 * ranks count within a key, and bins are numbered over (key, chunk), cells with a missing key first.
 * The same request on the same ingests gives the same bytes, whatever the order of `ingestDirs`; asked again, it returns what is there.
 * Throws `invalid_request`, `invalid_filter`, `unknown_column`, `no_cells`, `already_exists` (another curriculum lives in outDir).
 */
export async function prepareCurriculum(o: PrepareOptions): Promise<CurriculumManifest> {
  const plan = await planCurriculum(o);
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

async function planCurriculum(o: PrepareOptions): Promise<Plan> {
  throwIfAborted(o.signal);
  const request = parseRequest(o.request);
  const ingests = await openIngests(o.ingestDirs);
  const columns = unifiedColumns(ingests);
  const filters = parseFilters(request.filters, columns);
  pickColumns(request.binKeys, columns, "binKeys");
  const names = [...new Set([...request.obsColumns, ...request.binKeys])];
  const wanted = pickColumns(names, columns, "obsColumns");
  const keys = request.binKeys.map((key) => names.indexOf(key));
  return { ingests, columns, request, filters, wanted, keys };
}

/** What a manifest says about its request: equal for equal requests on equal ingests. */
function identity(plan: Plan) {
  const { request, filters, ingests } = plan;
  return {
    binSize: request.binSize,
    seed: request.seed,
    filters: Object.fromEntries(
      filters.map((f) => [
        `${f.column}__${f.op}`,
        f.op === "in" || f.op === "not_in" ? f.values : f.values[0],
      ]),
    ),
    binKeys: request.binKeys,
    categoryLimit: request.categoryLimit,
    ingests: ingests.map(({ manifest, manifestSha256 }) => ({
      ingestId: manifest.ingestId,
      cells: manifest.cells,
      manifestSha256,
    })),
    features: { count: request.features.length, sha256: sha256Hex(featuresText(request.features)) },
  };
}

const featuresText = (features: readonly string[]): string => `${JSON.stringify(features, null, 1)}\n`;

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

/** Table `selected`: cell_id, ingest_id, n_counts, nnz, and the wanted columns as w0, w1, …. */
async function selectInto(duck: Duck, plan: Plan): Promise<void> {
  const fixed = pickColumns(["cell_id", "ingest_id", "n_counts", "nnz"], plan.columns, "");
  const all = [...fixed, ...plan.wanted];
  const names = ["cell_id", "ingest_id", "n_counts", "nnz", ...plan.wanted.map((_, i) => `w${i}`)];
  const declared = all.map((column, i) => `${names[i]} ${sqlType[column.type]}`);
  await duck.run(`CREATE TABLE selected (${declared.join(", ")})`);
  for (const ingest of plan.ingests) {
    const select = selectCells(ingest, all, plan.filters, plan.columns);
    await duck.run(`INSERT INTO selected ${select.sql}`, select.params);
  }
}

/** Table `fingers` (cell_id, finger). FarmHash is not in DuckDB, so ids come out and fingerprints go back, a vector at a time. */
async function addFingerprints(duck: Duck, seed: number, signal: AbortSignal | undefined): Promise<number> {
  await duck.run("CREATE TABLE fingers (cell_id BIGINT, finger BIGINT)");
  const ids = await guarded(signal, () => duck.connection.run("SELECT cell_id FROM selected"));
  const appender = await duck.connection.createAppender("fingers");
  let count = 0;
  for await (const chunk of ids) {
    throwIfAborted(signal);
    const view = viewBigInts(chunk, 0);
    const out = DuckDBDataChunk.create([BIGINT, BIGINT], chunk.rowCount);
    fillFixed(vectorOf(out, 0), view, chunk.rowCount);
    fillFixed(vectorOf(out, 1), farmFingerprintIds(view, seed), chunk.rowCount);
    appender.appendDataChunk(out);
    count += chunk.rowCount;
  }
  appender.closeSync();
  return count;
}

/** Table `dealt`: selected + finger, bin_key, extract_bin, position. */
async function deal(duck: Duck, plan: Plan): Promise<void> {
  const size = plan.request.binSize;
  const keyed = plan.keys.length > 0;
  // `||` with a NULL is NULL: one missing key column puts the cell into the common group.
  const key = keyed
    ? plan.keys.map((i) => `CAST(w${i} AS VARCHAR)`).join(" || '##' || ")
    : "CAST(NULL AS VARCHAR)";
  const within = keyed ? "PARTITION BY bin_key " : "";
  await duck.run(
    `CREATE TABLE ranked AS SELECT *, row_number() OVER (${within}ORDER BY finger, cell_id) - 1 AS rank
     FROM (SELECT s.*, f.finger, ${key} AS bin_key FROM selected s JOIN fingers f USING (cell_id))`,
  );
  const bin = keyed
    ? `dense_rank() OVER (ORDER BY bin_key ASC NULLS FIRST, rank // ${size}) - 1`
    : `rank // ${size}`;
  await duck.run(
    `CREATE TABLE dealt AS SELECT * EXCLUDE (rank), CAST(${bin} AS INTEGER) AS extract_bin,
     CAST(rank % ${size} AS INTEGER) AS position FROM ranked`,
  );
  await duck.run("DROP TABLE ranked; DROP TABLE fingers; DROP TABLE selected");
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
  await writeJson(join(outDir, FEATURES), request.features); // the bytes of featuresText
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
