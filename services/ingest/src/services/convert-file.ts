import {
  type Column,
  type CsrRows,
  chooseFeatureIds,
  type DataFrame,
  type FeatureIds,
  type Matrix,
  openAnnData,
} from "@cytomesh/anndata";
import { createIngestWriter, type IngestManifest, sliceColumn } from "@cytomesh/omics-store";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { IngestError } from "../errors.ts";
import type { ConvertOptions } from "../schemas/plan.ts";
import { chooseMatrix } from "./choose-matrix.ts";
import { type ObsSource, planObs } from "./obs-columns.ts";

/** Everything a conversion needs; it runs in a worker thread. */
export interface ConvertRequest {
  readonly path: string;
  /** Local folder that receives the ingest files. */
  readonly outDir: string;
  readonly ingestId: string;
  readonly cellIdStart: number;
  readonly featureIdStart: number;
  /** File name of the source; where it lay is the catalog's to know, so that the same content gives the same files anywhere. */
  readonly sourceName: string;
  readonly sha256: string;
  readonly options: ConvertOptions;
}

/** Non-zeros per batch: 4 M are 48 MB of indices and values, which bounds memory whatever the file's size. */
const batchNnz = 4_000_000;

/** Rows per batch at most. */
const maxBatchRows = 8_192;

/** Rows of obs held at a time. */
const obsWindowRows = 32_768;

/** Rows at a time when a dense matrix is judged. */
const judgedRows = 2_048;

/** Write the ingest files of one AnnData file. The same file, ids and options give the same bytes. */
export async function convertFile(request: ConvertRequest, context: TaskContext): Promise<IngestManifest> {
  using file = await openAnnData(request.path);
  const { matrix, var: frame, path } = chooseMatrix(file, request.options);
  const features = chooseFeatureIds(frame, request.options.featureIdColumn);
  const { allowNonCounts } = request.options;
  const sources = planObs(file.obs, request.options.obsMapping);
  const batchRows = rowsPerBatch(matrix.shape, matrix.nnz);
  const writer = await createIngestWriter({
    dir: request.outDir,
    ingestId: request.ingestId,
    cellIdStart: request.cellIdStart,
    featureIdStart: request.featureIdStart,
    features: { ids: features.ids, columns: featureColumns(frame, features) },
    obsSchema: sources.map(({ name, type }) => ({ name, type })),
    countsType: allowNonCounts && (await exceedsInt32(matrix, batchRows, context)) ? "float32" : "int32",
    provenance: { sourceName: request.sourceName, sha256: request.sha256, matrix: path },
    signal: context.signal,
  });
  try {
    const obs = obsWindows(file.obs, sources);
    for (const { start, rows } of matrix.batches(batchRows)) {
      const end = start + rows.nRows;
      await writer.append({
        rows,
        totals: totalsOf(rows, start, path, allowNonCounts),
        ...obs(start, end),
      });
      context.progress({ cells: end });
      await context.breathe();
    }
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/**
 * Names and columns of rows, out of a window that moves along obs: whole columns of many cells would not fit into memory, and reading a few
 * rows at a time would decode the same chunk again and again.
 */
function obsWindows(
  frame: DataFrame,
  sources: readonly ObsSource[],
): (start: number, end: number) => { originalIds: string[]; obs: Record<string, Column> } {
  let from = 0;
  let names: string[] = [];
  let columns: [string, Column][] = [];
  return (start, end) => {
    if (start < from || end > from + names.length) {
      from = start;
      const to = Math.min(frame.length, Math.max(end, start + obsWindowRows));
      names = frame.index(from, to);
      columns = sources.map(({ name, source }) => [
        name,
        source === undefined ? { kind: "string", values: names } : frame.column(source, from, to),
      ]);
    }
    const [first, last] = [start - from, end - from];
    return {
      originalIds: names.slice(first, last),
      obs: Object.fromEntries(columns.map(([name, column]) => [name, sliceColumn(column, first, last)])),
    };
  };
}

/** The columns of var; with the names of the index where the ids come from elsewhere, as they are the symbols people know. */
function featureColumns(frame: DataFrame, features: FeatureIds): Record<string, Column> {
  const columns = frame.columnNames.map((name) => [name, frame.column(name)] as const);
  const names: [string, Column] = [frame.indexName, { kind: "string", values: frame.index() }];
  return Object.fromEntries(
    features.column === "" || frame.has(frame.indexName) ? columns : [names, ...columns],
  );
}

function rowsPerBatch([rows, columns]: [number, number], nnz: number | undefined): number {
  const perRow = Math.max(1, (nnz ?? rows * columns) / Math.max(1, rows));
  return Math.max(1, Math.min(maxBatchRows, Math.floor(batchNnz / perRow)));
}

/** Whether a value is one that int32 cannot hold. Looked for only where other values than counts are allowed. */
async function exceedsInt32(matrix: Matrix, batchRows: number, context: TaskContext): Promise<boolean> {
  for (const { rows } of matrix.batches(Math.min(batchRows, judgedRows))) {
    for (const value of rows.data) if (value !== (value | 0)) return true;
    await context.breathe();
  }
  return false;
}

/** Total of every row. Every value is looked at once more, as planning saw a sample. */
function totalsOf(rows: CsrRows, firstRow: number, where: string, allowFractions: boolean): Float64Array {
  const totals = new Float64Array(rows.nRows);
  for (let row = 0; row < rows.nRows; row++) {
    let sum = 0;
    for (let k = rows.indptr[row] as number; k < (rows.indptr[row + 1] as number); k++) {
      const value = rows.data[k] as number;
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY && (allowFractions || Number.isInteger(value))))
        throw new IngestError(
          "invalid-file",
          `${where}: row ${firstRow + row} has ${value}; counts are finite, not negative, and whole numbers unless allow_non_counts is set`,
        );
      sum += value;
    }
    totals[row] = sum;
  }
  return totals;
}
