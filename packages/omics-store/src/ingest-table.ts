import { join } from "node:path";
import {
  BIGINT,
  DOUBLE,
  type DuckDBAppender,
  DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
  LIST,
  VARCHAR,
} from "@duckdb/node-api";
import type { CellLists } from "./cell-lists.ts";
import type { Duck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import type { CheckedIngestOptions } from "./ingest-options.ts";
import type { IngestBatch } from "./ingest-writer.ts";
import { copyToParquet, quoteIdentifier } from "./sql.ts";
import { type ColumnFiller, duckType } from "./store-columns.ts";
import type { CountsType, CsrRowsLike, StoredField } from "./types.ts";
import { fillFixed, fillLists, fillStrings, VECTOR_ROWS, vectorOf } from "./vectors.ts";

/** Non-zeros held in DuckDB before a file is cut (8 bytes each), and copied per chunk (the event loop stands still for one chunk). */
const FILE_NNZ = 48_000_000;
const CHUNK_NNZ = 512 * 1024;

/** An ingest being written: the table of the open file, and what is already in files. */
export interface IngestState {
  options: CheckedIngestOptions;
  duck: Duck;
  obs: StoredField[];
  types: DuckDBType[];
  lists: CellLists;
  appender: DuckDBAppender | undefined;
  cells: number;
  nnz: number;
  openCells: number;
  openNnz: number;
  parts: { name: string; rows: number }[];
}

export const partName = (state: IngestState): string =>
  `cells-${String(state.parts.length).padStart(5, "0")}.parquet`;

export function tableTypes(obs: readonly StoredField[], counts: CountsType): DuckDBType[] {
  const list = LIST(counts === "int32" ? INTEGER : FLOAT);
  return [
    BIGINT,
    VARCHAR,
    ...obs.map((f) => duckType[f.type]),
    VARCHAR,
    DOUBLE,
    INTEGER,
    LIST(INTEGER),
    list,
  ];
}

/** File column names, in the order of `tableTypes`. Inside DuckDB they are k0, k1, … so that no obs name can clash. */
export const fileColumns = (obs: readonly StoredField[]): string[] => [
  "cell_id",
  "original_cell_id",
  ...obs.map((f) => f.column),
  "obs_extra",
  "n_counts",
  "nnz",
  "feature_ids",
  "counts",
];

/** Rows that fit the open file and one chunk; `from` itself when the file must be cut first. The cut depends on the cells alone. */
export function pieceEnd(state: IngestState, rows: CsrRowsLike, from: number): number {
  const { indptr } = rows;
  const room = state.options.filesMaxCells - state.openCells;
  const limit = Math.min(rows.nRows, from + VECTOR_ROWS, from + room);
  let to = from;
  while (to < limit) {
    const nnz = indptr[to + 1]! - indptr[from]!;
    if (state.openNnz + nnz > FILE_NNZ && state.openCells + (to - from) > 0) break;
    if (nnz > CHUNK_NNZ && to > from) break;
    to++;
  }
  return to;
}

export async function appendPiece(
  state: IngestState,
  batch: IngestBatch,
  fillers: ColumnFiller[],
  from: number,
  to: number,
): Promise<void> {
  const n = to - from;
  const { lists, types } = state;
  const chunk = DuckDBDataChunk.create(types, n);
  const ids = new BigInt64Array(n);
  const nnz = new Int32Array(n);
  const encoder = new TextEncoder();
  const first = state.options.cellIdStart + state.cells;
  for (let i = 0; i < n; i++) {
    ids[i] = BigInt(first + i);
    nnz[i] = lists.ends[i]! - (i === 0 ? 0 : lists.ends[i - 1]!);
    if (!Number.isFinite(batch.totals[from + i]!))
      throw new OmicsStoreError(
        "invalid_counts",
        `cell ${JSON.stringify(batch.originalIds[from + i])}: total ${batch.totals[from + i]} is not finite`,
      );
  }
  let column = 0;
  const next = () => vectorOf(chunk, column++);
  fillFixed(next(), ids, n);
  fillStrings(next(), n, (i) => encoder.encode(batch.originalIds[from + i]));
  for (const fill of fillers) fill(next(), from, n);
  fillStrings(next(), n, (i) => encoder.encode(batch.obsExtra?.[from + i] ?? "{}"));
  fillFixed(next(), batch.totals.slice(from, to), n);
  fillFixed(next(), nnz, n);
  fillLists(next(), lists.featureIds, lists.ends, n);
  fillLists(next(), lists.counts, lists.ends, n);
  state.appender ??= await openTable(state);
  state.appender.appendDataChunk(chunk);
  state.appender.flushSync();
  state.cells += n;
  state.openCells += n;
  state.nnz += lists.ends[n - 1]!;
  // Counted with explicit zeros, as pieceEnd does, so that the cut does not depend on the batches.
  state.openNnz += batch.rows.indptr[to]! - batch.rows.indptr[from]!;
}

async function openTable(state: IngestState): Promise<DuckDBAppender> {
  const columns = state.types.map((type, i) => `k${i} ${type}`).join(", ");
  await state.duck.run(`CREATE TABLE pending (${columns})`);
  return state.duck.connection.createAppender("pending");
}

export async function writePart(state: IngestState): Promise<void> {
  const { duck, options } = state;
  const name = partName(state);
  state.appender ??= await openTable(state);
  state.appender.closeSync();
  const select = fileColumns(state.obs).map((column, i) => `k${i} AS ${quoteIdentifier(column)}`);
  const path = join(options.dir, name);
  await duck.run(copyToParquet(`SELECT ${select.join(", ")} FROM pending`, path, options.rowGroupCells));
  await duck.run("DROP TABLE pending");
  state.parts.push({ name, rows: state.openCells });
  state.appender = undefined;
  state.openCells = 0;
  state.openNnz = 0;
}
