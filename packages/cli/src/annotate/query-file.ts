import { type AnnData, openAnnData } from "@cytomesh/anndata";
import { type PackedCellRows, packCellRows } from "@cytomesh/contracts/cell-rows";

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
 * Open a query. Counts come from `raw.X` where there is one, as `X` is then normalised; feature ids from the var index, or from the
 * first var column of Ensembl ids when the index holds symbols.
 */
export async function openQuery(path: string): Promise<QueryFile> {
  const file = await openAnnData(path);
  const chosen = file.raw ?? (file.x === undefined ? undefined : { x: file.x, var: file.var });
  if (chosen === undefined) {
    file.close();
    throw new Error(`${path} has neither X nor raw.X`);
  }
  const ids = file.obs.index();
  return {
    cells: file.nObs,
    featureIds: featureIdsOf(chosen.var),
    labels: (column) => labelsOf(file, column),
    *batches() {
      for (const { start, rows } of chosen.x.batches(batchRows))
        yield packCellRows(rows, ids.slice(start, start + rows.nRows), []);
    },
    close: () => file.close(),
  };
}

const ensembl = /^ENS[A-Z]{0,6}G\d{11}/;

function featureIdsOf(frame: AnnData["var"]): string[] {
  const candidates = [frame.index(), ...frame.columnNames.flatMap((name) => textColumn(frame, name) ?? [])];
  const found = candidates.find((ids) => ids.filter((id) => ensembl.test(id)).length * 2 > ids.length);
  return (found ?? frame.index()).map((id) => (ensembl.test(id) ? id.replace(/\.\d+$/, "") : id));
}

function textColumn(frame: AnnData["var"], name: string): string[][] | undefined {
  const column = frame.column(name);
  if (column.kind === "string") return [column.values.map((value) => value ?? "")];
  if (column.kind === "categorical")
    return [Array.from(column.codes, (code) => column.categories[code] ?? "")];
  return undefined;
}

function labelsOf(file: AnnData, column: string): string[] | undefined {
  return file.obs.has(column) ? textColumn(file.obs, column)?.[0] : undefined;
}
