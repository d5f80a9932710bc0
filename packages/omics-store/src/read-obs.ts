import { BIGINT, DuckDBDataChunk, INTEGER } from "@duckdb/node-api";
import { pickColumns, selectCells } from "./cell-query.ts";
import { columnSink } from "./column-sink.ts";
import { type Duck, throwIfAborted, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { parseFilters } from "./filters.ts";
import { columnSql, type Ingest, obsPath, openIngests, unifiedColumns } from "./ingests.ts";
import { readParquet } from "./sql.ts";
import { sqlType } from "./store-columns.ts";
import type { ColumnType, ObsColumn } from "./types.ts";
import { fillFixed, VECTOR_ROWS, vectorOf } from "./vectors.ts";

export interface ReadObsOptions {
  columns: string[];
  /** Only these cells, answered in this order, repeats included; ids that no ingest has are left out. */
  cellIds?: Float64Array | readonly number[];
  filters?: unknown;
  /** At most this many cells. */
  limit?: number;
  signal?: AbortSignal;
}

export interface ObsRows {
  cellIds: Float64Array;
  columns: Record<string, ObsColumn>;
}

const CELL_ID: ColumnType = { name: "cell_id", type: "int" };

/**
 * Metadata of cells, by id or by filter (without ids: ascending cell id). Strings come as string columns, ints with a missing value as
 * float64 with NaN. Throws `unknown_column`, `invalid_filter`, `invalid_request`.
 */
export async function readObs(ingestDirs: string[], options: ReadObsOptions): Promise<ObsRows> {
  throwIfAborted(options.signal);
  const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
  if (!Number.isSafeInteger(limit) || limit < 0)
    throw new OmicsStoreError("invalid_request", `limit must be a whole number from 0, got ${options.limit}`);
  const ids = options.cellIds === undefined ? undefined : checkedIds(options.cellIds);
  const ingests = await openIngests(ingestDirs);
  const columns = unifiedColumns(ingests);
  const filters = parseFilters(options.filters, columns);
  const names = [...new Set(options.columns)];
  const wanted = [CELL_ID, ...pickColumns(names, columns, "columns")];
  const needed = ingests.filter((i) => ids === undefined || holdsAny(i, ids));
  return withDuck({ signal: options.signal }, async (duck) => {
    const declared = wanted.map((c, i) => `u${i} ${sqlType[c.type]}`).join(", ");
    await duck.run(`CREATE TABLE found (${declared})`);
    if (ids !== undefined) await loadIds(duck, ids);
    let left = limit;
    for (const ingest of needed) {
      const select = selectCells(ingest, wanted, filters, columns);
      const only =
        ids === undefined ? ` ORDER BY u0 LIMIT ${left}` : " AND cell_id IN (SELECT id FROM wanted)";
      await duck.run(`INSERT INTO found ${select.sql}${only}`, select.params);
      // Ingests are in cell id order: a full answer needs no further ones.
      if (ids === undefined) left = limit - Number((await duck.rows("SELECT count(*) FROM found"))[0]![0]);
      if (left === 0) break;
    }
    const sinks = wanted.map((c) => columnSink(c));
    const from = ids === undefined ? "found ORDER BY u0" : "wanted JOIN found ON id = u0 ORDER BY place";
    const list = wanted.map((_, i) => `u${i}`).join(", ");
    const result = await duck.stream(`SELECT ${list} FROM ${from} LIMIT ${limit}`);
    for await (const chunk of result) {
      throwIfAborted(options.signal);
      sinks.forEach((sink, c) => {
        sink.take(chunk, c);
      });
    }
    const read = sinks.map((s) => s.finish());
    const cellIds = read[0]!;
    return {
      cellIds: cellIds.kind === "number" ? Float64Array.from(cellIds.values) : new Float64Array(0),
      columns: Object.fromEntries(names.map((name, i) => [name, read[i + 1]!])),
    };
  });
}

function checkedIds(ids: Float64Array | readonly number[]): Float64Array {
  const out = Float64Array.from(ids);
  const wrong = out.findIndex((id) => !Number.isSafeInteger(id));
  if (wrong >= 0)
    throw new OmicsStoreError("invalid_request", `cellIds[${wrong}] is ${out[wrong]}, not a safe integer`);
  return out;
}

const holdsAny = ({ manifest: m }: Ingest, ids: Float64Array): boolean =>
  ids.some((id) => id >= m.cellIdStart && id < m.cellIdStart + m.cells);

async function loadIds(duck: Duck, ids: Float64Array): Promise<void> {
  await duck.run("CREATE TABLE wanted (id BIGINT, place INTEGER)");
  const appender = await duck.connection.createAppender("wanted");
  for (let from = 0; from < ids.length; from += VECTOR_ROWS) {
    const n = Math.min(VECTOR_ROWS, ids.length - from);
    const chunk = DuckDBDataChunk.create([BIGINT, INTEGER], n);
    fillFixed(
      vectorOf(chunk, 0),
      BigInt64Array.from({ length: n }, (_, i) => BigInt(ids[from + i]!)),
      n,
    );
    fillFixed(
      vectorOf(chunk, 1),
      Int32Array.from({ length: n }, (_, i) => from + i),
      n,
    );
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

export interface DistinctValue {
  value: string;
  cells: number;
}

/**
 * Distinct values of a column as text with their cell counts, most frequent first, equally frequent ones in UTF-8 byte order, NULL left
 * out. `prefix` is matched without case.
 * Default limit 100. Throws `unknown_column`, `invalid_request`.
 */
export async function distinctValues(
  ingestDirs: string[],
  column: string,
  prefix = "",
  limit = 100,
  options: { signal?: AbortSignal } = {},
): Promise<DistinctValue[]> {
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new OmicsStoreError("invalid_request", `limit must be a positive integer, got ${limit}`);
  const ingests = await openIngests(ingestDirs);
  const wanted = pickColumns([column], unifiedColumns(ingests), "column")[0]!;
  return withDuck(options, async (duck) => {
    await duck.run("CREATE TABLE found (value VARCHAR, cells BIGINT)");
    for (const ingest of ingests)
      await duck.run(
        `INSERT INTO found SELECT CAST(${columnSql(ingest, wanted)} AS VARCHAR) AS value, count(*)
         FROM ${readParquet([obsPath(ingest)])} WHERE value IS NOT NULL GROUP BY value`,
      );
    const rows = await duck.rows(
      `SELECT value, CAST(sum(cells) AS BIGINT) FROM found WHERE starts_with(lower(value), lower(?))
       GROUP BY value ORDER BY sum(cells) DESC, value LIMIT ${limit}`,
      [prefix],
    );
    return rows.map(([value, cells]) => ({ value: String(value), cells: Number(cells) }));
  });
}
