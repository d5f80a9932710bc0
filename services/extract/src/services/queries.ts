import { countCells, distinctValues, type ObsColumn, readColumns, readObs } from "@cytomesh/omics-store";
import { ExtractError } from "../errors.ts";
import type { ExtractDeps } from "./deps.ts";
import { datasetDirs } from "./ingest-dirs.ts";

type QueryDeps = Pick<ExtractDeps, "catalog" | "copies" | "storeUri">;

/** Ids per request at most, the limit of the annotation API that users know. */
const maxIds = 20_000;

/** Count the cells that filters choose. */
export async function countMatching(
  deps: QueryDeps,
  dataset: string,
  filters: unknown,
  signal: AbortSignal,
): Promise<number> {
  return countCells(await datasetDirs(deps, dataset, signal), filters ?? {}, { signal });
}

/** Distinct values of a column with their counts, most frequent first. */
export async function listValues(
  deps: QueryDeps,
  request: { dataset: string; column: string; prefix: string; limit: number },
  signal: AbortSignal,
) {
  const limit = request.limit === 0 ? 100 : request.limit;
  if (limit < 1 || limit > 2_000)
    throw new ExtractError("invalid-request", `limit must be 1 to 2000, found ${limit}`);
  const dirs = await datasetDirs(deps, request.dataset, signal);
  return distinctValues(dirs, request.column, request.prefix, limit, { signal });
}

/** Obs of cells in the order asked; a value that is missing is null. */
export async function getCells(
  deps: QueryDeps,
  request: { dataset: string; cellIds: readonly number[]; columns: readonly string[] },
  signal: AbortSignal,
): Promise<{ cellId: number; obs: Record<string, string | number | boolean | null> }[]> {
  if (request.cellIds.length > maxIds)
    throw new ExtractError(
      "invalid-request",
      `at most ${maxIds} cell ids per request, found ${request.cellIds.length}`,
    );
  const dirs = await datasetDirs(deps, request.dataset, signal);
  const columns =
    request.columns.length > 0
      ? [...request.columns]
      : (await readColumns(dirs)).map((column) => column.name).filter((name) => name !== "cell_id");
  const rows = await readObs(dirs, { columns, cellIds: request.cellIds, signal });
  return Array.from(rows.cellIds, (cellId, row) => ({
    cellId,
    obs: Object.fromEntries(columns.map((name) => [name, valueAt(rows.columns[name] as ObsColumn, row)])),
  }));
}

function valueAt(column: ObsColumn, row: number): string | number | boolean | null {
  switch (column.kind) {
    case "categorical":
      return column.categories[column.codes[row] ?? -1] ?? null;
    case "string":
      return column.values[row] ?? null;
    case "boolean":
      return column.mask?.[row] === 1 ? null : column.values[row] === 1;
    case "number": {
      const value = column.values[row];
      return column.mask?.[row] === 1 || value === undefined || !Number.isFinite(value) ? null : value;
    }
  }
}
