import { type AnnData, chooseFeatureIds, openAnnData } from "@cytomesh/anndata";
import { type PackedCellRows, packCellRows } from "@cytomesh/contracts/cell-rows";
import { CliError } from "../errors.ts";

/** Rows per message; the size at which gRPC streams run best is below a megabyte. */
const batchRows = 500;

/** A file of cells to annotate, read batch by batch. */
export interface QueryFile {
  readonly cells: number;
  readonly featureIds: string[];
  /** Values of an obs column as text; undefined when there is none. */
  labels(column: string): string[] | undefined;
  batches(): Generator<PackedCellRows>;
  close(): void;
}

/**
 * Open a query. Counts and feature ids are found as an ingest finds them: `raw.X` where there is one, as `X` is then normalised; ids from
 * the var index, or from a usual var column of Ensembl ids when the index holds symbols.
 */
export async function openQuery(path: string): Promise<QueryFile> {
  const file = await openAnnData(path);
  try {
    return queryOf(file, path);
  } catch (error) {
    file.close();
    throw error;
  }
}

function queryOf(file: AnnData, path: string): QueryFile {
  const chosen = file.raw ?? (file.x === undefined ? undefined : { x: file.x, var: file.var });
  if (chosen === undefined) throw new CliError("failed", `${path} has neither X nor raw.X`);
  const ids = file.obs.index();
  return {
    cells: file.nObs,
    featureIds: chooseFeatureIds(chosen.var).ids,
    labels: (column) => labelsOf(file, column),
    *batches() {
      for (const { start, rows } of chosen.x.batches(batchRows))
        yield packCellRows(rows, ids.slice(start, start + rows.nRows), []);
    },
    close: () => file.close(),
  };
}

function labelsOf(file: AnnData, name: string): string[] | undefined {
  if (!file.obs.has(name)) return undefined;
  const column = file.obs.column(name);
  if (column.kind === "string") return column.values.map((value) => value ?? "");
  if (column.kind !== "categorical") return undefined;
  return Array.from(column.codes, (code) => column.categories[code] ?? "");
}
