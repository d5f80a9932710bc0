import { type AnnData, type Column, type DataFrame, type Matrix, openAnnData } from "@cytomesh/anndata";

/** A column, described. */
export interface ColumnReport {
  readonly name: string;
  readonly kind: Column["kind"];
  readonly dtype: string;
  readonly categories: number;
}

/** A matrix, described. */
export interface MatrixReport {
  readonly path: string;
  readonly format: string;
  readonly dtype: string;
  readonly rows: number;
  readonly columns: number;
  /** -1 for dense. */
  readonly nnz: number;
}

/** What a file consists of. */
export interface FileReport {
  readonly cells: number;
  readonly features: number;
  readonly obsColumns: ColumnReport[];
  readonly varColumns: ColumnReport[];
  readonly matrices: MatrixReport[];
}

/** Describe a file. Runs in a worker thread. */
export async function describeFile(path: string): Promise<FileReport> {
  using file = await openAnnData(path);
  return {
    cells: file.nObs,
    features: file.nVar,
    obsColumns: columnsOf(file.obs),
    varColumns: columnsOf(file.var),
    matrices: matricesOf(file),
  };
}

function columnsOf(frame: DataFrame): ColumnReport[] {
  return frame.columnNames.map((name) => {
    // No rows: what the column is stands in its description.
    const column = frame.column(name, 0, 0);
    return {
      name,
      kind: column.kind,
      dtype: column.kind === "number" ? column.dtype : "",
      categories: column.kind === "categorical" ? column.categories.length : 0,
    };
  });
}

function matricesOf(file: AnnData): MatrixReport[] {
  const describe = (path: string, matrix: Matrix): MatrixReport => ({
    path,
    format: matrix.format,
    dtype: matrix.dtype,
    rows: matrix.shape[0],
    columns: matrix.shape[1],
    nnz: matrix.nnz ?? -1,
  });
  return [
    ...(file.x === undefined ? [] : [describe("X", file.x)]),
    ...(file.raw === undefined ? [] : [describe("raw/X", file.raw.x)]),
    ...[...file.layers].map(([name, matrix]) => describe(`layers/${name}`, matrix)),
  ];
}
