import { ingestCondition } from "./cell-query.ts";
import { type Duck, withDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { type Filter, parseFilters } from "./filters.ts";
import { type Ingest, obsPath, openIngests, unifiedColumns } from "./ingests.ts";
import { readParquet } from "./sql.ts";
import type { ColumnType } from "./types.ts";

/** Columns of these ingests that filters, keys and obs columns may name, with their unified types. */
export async function readColumns(ingestDirs: string[]): Promise<ColumnType[]> {
  return unifiedColumns(await openIngests(ingestDirs));
}

/** How many cells pass the filters. Throws `invalid_filter`, `unknown_column`, and what opening ingests throws. */
export async function countCells(
  ingestDirs: string[],
  filters: unknown,
  options: { signal?: AbortSignal } = {},
): Promise<number> {
  const ingests = await openIngests(ingestDirs);
  const columns = unifiedColumns(ingests);
  const parsed = parseFilters(filters, columns);
  return withDuck(options, async (duck) => (await countEach(duck, ingests, [parsed], columns))[0]!);
}

/** Cells passing each of several filter sets, in one pass over every obs.parquet. */
async function countEach(
  duck: Duck,
  ingests: readonly Ingest[],
  sets: readonly (readonly Filter[])[],
  columns: readonly ColumnType[],
): Promise<number[]> {
  const totals = sets.map(() => 0);
  for (const ingest of ingests) {
    const conditions = sets.map((set) => ingestCondition(ingest, set, columns));
    const counts = conditions.map((c) => `count(*) FILTER (WHERE ${c.sql})`).join(", ");
    const [row] = await duck.rows(
      `SELECT ${counts} FROM ${readParquet([obsPath(ingest)])}`,
      conditions.flatMap((c) => c.params),
    );
    row!.forEach((value, i) => {
      totals[i]! += Number(value);
    });
  }
  return totals;
}

/** The error for a selection without cells: which filters alone remove everything, else what each leaves. */
export async function noCellsError(
  duck: Duck,
  ingests: readonly Ingest[],
  filters: readonly Filter[],
  columns: readonly ColumnType[],
): Promise<OmicsStoreError> {
  const total = ingests.reduce((sum, i) => sum + i.manifest.cells, 0);
  if (total === 0) return new OmicsStoreError("no_cells", "the ingests hold no cells");
  const counts = await countEach(
    duck,
    ingests,
    filters.map((f) => [f]),
    columns,
  );
  const name = (f: Filter): string => `${f.column}__${f.op}`;
  const culprits = filters.filter((_, i) => counts[i] === 0).map(name);
  const detail =
    culprits.length > 0
      ? `${culprits.join(" and ")} alone ${culprits.length > 1 ? "each " : ""}removes all of them`
      : `every filter alone leaves some (${filters.map((f, i) => `${name(f)}: ${counts[i]}`).join(", ")}), together none`;
  return new OmicsStoreError("no_cells", `no cell of ${total} passes the filters: ${detail}`);
}
