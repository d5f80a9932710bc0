import { mkdir, rm } from "node:fs/promises";
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
import { type CellLists, checkCsr, emptyLists, encodeRows, type MatrixNames } from "./cell-lists.ts";
import { type Duck, guarded, openDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { createdBy, describeFile, exists, MANIFEST, writeJson } from "./files.ts";
import { checkedOptions } from "./ingest-options.ts";
import { reservedFeatureNames, reservedObsNames, storedFields } from "./names.ts";
import { copyToParquet, quoteIdentifier, readParquet } from "./sql.ts";
import { checkColumn, columnFiller, duckType, sqlType, typeOfColumn } from "./store-columns.ts";
import type {
  CountsType,
  CsrRowsLike,
  FileEntry,
  IngestManifest,
  IngestProvenance,
  ObsColumn,
  ObsField,
  StoredField,
} from "./types.ts";
import { fillFixed, fillLists, fillStrings, VECTOR_ROWS, vectorOf } from "./vectors.ts";

export interface IngestWriterOptions {
  /** Local folder; created when missing. Holding a manifest.json already is `already_exists`. */
  dir: string;
  ingestId: string;
  /** First cell id; cells are numbered in the order they are appended, below 2^53. */
  cellIdStart: number;
  /** First feature id; feature ids are int32. */
  featureIdStart: number;
  /** `ids` are what curricula match on (Ensembl ids); repeated ids are summed on extraction. */
  features: { ids: string[]; columns: Record<string, ObsColumn> };
  obsSchema: ObsField[];
  countsType: CountsType;
  /** Rows per Parquet row group, a multiple of 2048. Default 4096. */
  rowGroupCells?: number;
  /** Cells per file. Default 16384; a file is also cut at 48 M non-zeros. */
  filesMaxCells?: number;
  provenance: IngestProvenance;
  signal?: AbortSignal;
}

export interface IngestBatch {
  rows: CsrRowsLike;
  originalIds: string[];
  /** Total counts of every cell, whatever the caller counts as total; finite. */
  totals: Float64Array;
  obs: Record<string, ObsColumn>;
  /** One JSON object per cell; default `{}`. */
  obsExtra?: string[];
}

export interface IngestWriter {
  append(batch: IngestBatch): Promise<void>;
  finish(): Promise<IngestManifest>;
  abort(): Promise<void>;
}

/** Non-zeros held in DuckDB before a file is cut (8 bytes each), and copied per chunk (the event loop stands still for one chunk). */
const FILE_NNZ = 48_000_000;
const CHUNK_NNZ = 512 * 1024;

interface State {
  options: Required<Omit<IngestWriterOptions, "signal">> & { signal?: AbortSignal };
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

/**
 * Writes the files of one ingest: `cells-NNNNN.parquet`, `obs.parquet`, `features.parquet`, and `manifest.json` last.
 * The same cells in the same order give the same bytes, however they are cut into batches. Calls must be awaited one after another.
 * Throws `invalid_request`, `invalid_column`, `id_out_of_range`, `already_exists`; append also `invalid_counts`. After a failed append only
 * abort() is possible.
 */
export async function createIngestWriter(o: IngestWriterOptions): Promise<IngestWriter> {
  const options = checkedOptions(o);
  await mkdir(options.dir, { recursive: true });
  if (await exists(join(options.dir, MANIFEST)))
    throw new OmicsStoreError(
      "already_exists",
      `${options.dir} already holds a finished ingest (${MANIFEST})`,
    );
  const obs = storedFields(options.obsSchema, reservedObsNames, "obs_");
  const state: State = {
    options,
    duck: await openDuck({ signal: options.signal }),
    obs,
    types: tableTypes(obs, options.countsType),
    lists: emptyLists(options.countsType),
    appender: undefined,
    cells: 0,
    nnz: 0,
    openCells: 0,
    openNnz: 0,
    parts: [],
  };
  let mode: "open" | "busy" | "failed" | "closed" = "open";
  const exclusively = async <T>(then: typeof mode, work: () => Promise<T>): Promise<T> => {
    if (mode !== "open")
      throw new OmicsStoreError(
        "writer_closed",
        mode === "busy"
          ? "the previous call of this ingest writer was not awaited"
          : `this ingest writer is ${mode}`,
      );
    mode = "busy";
    try {
      const result = await guarded(options.signal, work);
      mode = then;
      return result;
    } catch (error) {
      mode = "failed";
      throw error;
    }
  };
  return {
    append: (batch) => exclusively("open", () => appendBatch(state, batch)),
    finish: () =>
      exclusively("closed", async () => {
        const manifest = await finish(state);
        state.duck.close();
        return manifest;
      }),
    abort: async () => {
      if (mode === "closed") return;
      mode = "closed";
      state.duck.close();
      const names = [...state.parts.map((p) => p.name), partName(state), "obs.parquet", "features.parquet"];
      for (const name of names) await rm(join(options.dir, name), { force: true });
    },
  };
}

const partName = (state: State): string => `cells-${String(state.parts.length).padStart(5, "0")}.parquet`;

function tableTypes(obs: readonly StoredField[], counts: CountsType): DuckDBType[] {
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
const fileColumns = (obs: readonly StoredField[]): string[] => [
  "cell_id",
  "original_cell_id",
  ...obs.map((f) => f.column),
  "obs_extra",
  "n_counts",
  "nnz",
  "feature_ids",
  "counts",
];

async function appendBatch(state: State, batch: IngestBatch): Promise<void> {
  const { options } = state;
  const { rows } = batch;
  checkCsr(rows, options.features.ids.length);
  const expect = (what: string, length: number): void => {
    if (length !== rows.nRows)
      throw new OmicsStoreError(
        "invalid_request",
        `${rows.nRows} ${what} were expected, ${length} were given`,
      );
  };
  expect("originalIds", batch.originalIds.length);
  expect("totals", batch.totals.length);
  if (batch.obsExtra !== undefined) expect("obsExtra", batch.obsExtra.length);
  if (!Number.isSafeInteger(options.cellIdStart + state.cells + rows.nRows))
    throw new OmicsStoreError("id_out_of_range", `cell ids from ${options.cellIdStart} would pass 2^53`);
  const fillers = state.obs.map((field) => {
    const declared = { name: field.source, type: field.type };
    return columnFiller(declared, checkColumn(declared, batch.obs[field.source], rows.nRows));
  });
  const names: MatrixNames = {
    cell: (row) => JSON.stringify(batch.originalIds[row]),
    gene: (column) => JSON.stringify(options.features.ids[column]),
  };
  for (let from = 0; from < rows.nRows; ) {
    const to = pieceEnd(state, rows, from);
    if (to === from) {
      await writePart(state);
      continue;
    }
    state.lists = encodeRows(rows, from, to, options.featureIdStart, state.lists, names);
    await appendPiece(state, batch, fillers, from, to);
    from = to;
    // Let the event loop breathe between copies of a few MB.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Rows that fit the open file and one chunk; `from` itself when the file must be cut first. The cut depends on the cells alone. */
function pieceEnd(state: State, rows: CsrRowsLike, from: number): number {
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

async function appendPiece(
  state: State,
  batch: IngestBatch,
  fillers: ReturnType<typeof columnFiller>[],
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

async function openTable(state: State): Promise<DuckDBAppender> {
  const columns = state.types.map((type, i) => `k${i} ${type}`).join(", ");
  await state.duck.run(`CREATE TABLE pending (${columns})`);
  return state.duck.connection.createAppender("pending");
}

async function writePart(state: State): Promise<void> {
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

async function finish(state: State): Promise<IngestManifest> {
  const { options, duck } = state;
  const { dir } = options;
  if (state.openCells > 0 || state.parts.length === 0) await writePart(state);
  const parts = state.parts.map((p) => join(dir, p.name));
  const keep = fileColumns(state.obs).slice(0, -2).map(quoteIdentifier).join(", ");
  await duck.run(
    copyToParquet(`SELECT ${keep} FROM ${readParquet(parts)}`, join(dir, "obs.parquet"), OBS_GROUP),
  );
  const featureColumns = await writeFeatures(state);
  const tables = [
    ...state.parts,
    { name: "obs.parquet", rows: state.cells },
    { name: "features.parquet", rows: options.features.ids.length },
  ];
  const files: FileEntry[] = [];
  for (const { name, rows } of tables) files.push({ ...(await describeFile(dir, name)), rows });
  const manifest: IngestManifest = {
    version: 1,
    ingestId: options.ingestId,
    source: options.provenance,
    cells: state.cells,
    nnz: state.nnz,
    features: options.features.ids.length,
    cellIdStart: options.cellIdStart,
    featureIdStart: options.featureIdStart,
    obsSchema: state.obs,
    featureColumns,
    countsType: options.countsType,
    rowGroupCells: options.rowGroupCells,
    files: files.map(({ name, rows, bytes, sha256 }) => ({ name, rows, bytes, sha256 })),
    createdBy: createdBy(),
  };
  await writeJson(join(dir, MANIFEST), manifest);
  return manifest;
}

const OBS_GROUP = 65_536;

async function writeFeatures(state: State): Promise<StoredField[]> {
  const { features, featureIdStart, dir } = state.options;
  const count = features.ids.length;
  const declared = Object.entries(features.columns).map(([name, c]) => ({ name, type: typeOfColumn(c) }));
  const fields = storedFields(declared, reservedFeatureNames, "var_");
  const fillers = fields.map((f) => {
    const field = { name: f.source, type: f.type };
    return columnFiller(field, checkColumn(field, features.columns[f.source], count));
  });
  const types = [INTEGER, INTEGER, VARCHAR, ...fields.map((f) => duckType[f.type])];
  const columns = ["feature_id", "var_position", "feature", ...fields.map((f) => f.column)];
  const typeNames = ["INTEGER", "INTEGER", "VARCHAR", ...fields.map((f) => sqlType[f.type])];
  await state.duck.run(`CREATE TABLE features (${typeNames.map((t, i) => `k${i} ${t}`).join(", ")})`);
  const appender = await state.duck.connection.createAppender("features");
  const encoder = new TextEncoder();
  for (let from = 0; from < count; from += VECTOR_ROWS) {
    const n = Math.min(VECTOR_ROWS, count - from);
    const chunk = DuckDBDataChunk.create(types, n);
    fillFixed(
      vectorOf(chunk, 0),
      Int32Array.from({ length: n }, (_, i) => featureIdStart + from + i),
      n,
    );
    fillFixed(
      vectorOf(chunk, 1),
      Int32Array.from({ length: n }, (_, i) => from + i),
      n,
    );
    fillStrings(vectorOf(chunk, 2), n, (i) => encoder.encode(features.ids[from + i]));
    fillers.forEach((fill, c) => {
      fill(vectorOf(chunk, 3 + c), from, n);
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
  const select = columns.map((column, i) => `k${i} AS ${quoteIdentifier(column)}`).join(", ");
  await state.duck.run(
    copyToParquet(`SELECT ${select} FROM features`, join(dir, "features.parquet"), OBS_GROUP),
  );
  return fields;
}
