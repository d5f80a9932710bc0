import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { concatRows, sliceRows } from "@cytomesh/anndata";
import { checkCsr, emptyLists, encodeRows, type MatrixNames } from "./cell-lists.ts";
import { throwIfAborted } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { exists, MANIFEST, writeJson } from "./files.ts";
import { writeFeatures } from "./ingest-features.ts";
import { createIngestFiles, type IngestFiles, type ScalarPusher, scalarFields } from "./ingest-files.ts";
import { type CheckedIngestOptions, checkedOptions } from "./ingest-options.ts";
import { reservedObsNames, storedFields } from "./names.ts";
import { discardingBuffer } from "./parquet/column-buffer.ts";
import type { Compression } from "./parquet/format.ts";
import { type EncodedPages, encodeMatrixPages } from "./parquet/matrix-pages.ts";
import { checkColumn, columnPusher, ownColumn } from "./store-columns.ts";
import type {
  CountsType,
  CsrRowsLike,
  IngestManifest,
  IngestProvenance,
  MatrixEncoding,
  ObsColumn,
  ObsField,
  StoredField,
} from "./types.ts";

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
  /** Default "delta". */
  encoding?: MatrixEncoding;
  /** Of all pages. Default: none for delta-packed lists, zstd for everything else. */
  compression?: Compression;
  /** Cells per page of the lists, 1..8192. Default 256. */
  pageCells?: number;
  /** Bytes of lists after which a row group ends. Default 16 MiB. */
  rowGroupBytes?: number;
  /** Cells per file, a multiple of pageCells, default 4096 pages; files also end at 512 MiB. */
  filesMaxCells?: number;
  provenance: IngestProvenance;
  signal?: AbortSignal;
}

interface BatchObs {
  originalIds: string[];
  /** Total counts of every cell, whatever the caller counts as total; finite. */
  totals: Float64Array;
  obs: Record<string, ObsColumn>;
  /** One JSON object per cell; default `{}`. */
  obsExtra?: string[];
}

export interface IngestBatch extends BatchObs {
  rows: CsrRowsLike;
}

/** Cells whose lists were encoded elsewhere, by `encodeMatrixPages` with the writer's options. */
export interface EncodedBatch extends BatchObs {
  pages: EncodedPages;
}

export interface IngestWriter {
  append(batch: IngestBatch): Promise<void>;
  /** The number of cells before it must be a multiple of pageCells, so that the pages are those of the whole. Their memory is free after it. */
  appendEncoded(batch: EncodedBatch): Promise<void>;
  finish(): Promise<IngestManifest>;
  abort(): Promise<void>;
}

interface State {
  options: CheckedIngestOptions;
  obs: StoredField[];
  files: IngestFiles;
  /** Cells that do not fill a page yet, and where their obs are. */
  pending: CsrRowsLike | undefined;
  waiting: { push: ScalarPusher; originalIds: string[]; from: number; to: number }[];
  cells: number;
  nnz: number;
}

/**
 * Writes the files of one ingest: `cells-NNNNN.parquet`, `obs.parquet`, `features.parquet`, and `manifest.json` last.
 * The same cells in the same order give the same bytes, however they are cut into batches and whoever encoded them (with one Node release,
 * whose zstd they depend on). Calls must be awaited one after another. Memory: one row group, and a batch.
 * Throws `invalid_request`, `invalid_column`, `id_out_of_range`, `already_exists`; append also `invalid_counts`. After a failed append only
 * abort() is possible.
 */
export async function createIngestWriter(o: IngestWriterOptions): Promise<IngestWriter> {
  const options = checkedOptions(o);
  throwIfAborted(options.signal);
  await mkdir(options.dir, { recursive: true });
  if (await exists(join(options.dir, MANIFEST)))
    throw new OmicsStoreError(
      "already_exists",
      `${options.dir} already holds a finished ingest (${MANIFEST})`,
    );
  const obs = storedFields(options.obsSchema, reservedObsNames, "obs_");
  const state: State = {
    options,
    obs,
    files: await createIngestFiles(options, obs),
    pending: undefined,
    waiting: [],
    cells: 0,
    nnz: 0,
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
      throwIfAborted(options.signal);
      const result = await work();
      mode = then;
      return result;
    } catch (error) {
      mode = "failed";
      throw asStoreError(error, options);
    }
  };
  return {
    append: (batch) => exclusively("open", () => appendBatch(state, batch)),
    appendEncoded: (batch) => exclusively("open", () => appendEncoded(state, batch)),
    finish: () => exclusively("closed", () => finish(state)),
    abort: async () => {
      if (mode === "closed") return;
      mode = "closed";
      for (const name of await state.files.abort()) await rm(join(options.dir, name), { force: true });
    },
  };
}

function asStoreError(error: unknown, { dir, signal }: CheckedIngestOptions): unknown {
  throwIfAborted(signal);
  if (error instanceof OmicsStoreError || !(error instanceof Error && "code" in error)) return error;
  return new OmicsStoreError("engine", `${dir} cannot be written: ${error.message}`, { cause: error });
}

function checkBatch(state: State, batch: BatchObs, rows: number): void {
  const expect = (what: string, length: number): void => {
    if (length !== rows)
      throw new OmicsStoreError("invalid_request", `${rows} ${what} were expected, ${length} were given`);
  };
  expect("originalIds", batch.originalIds.length);
  expect("totals", batch.totals.length);
  if (batch.obsExtra !== undefined) expect("obsExtra", batch.obsExtra.length);
  const { cellIdStart } = state.options;
  if (!Number.isSafeInteger(cellIdStart + state.cells + rows))
    throw new OmicsStoreError("id_out_of_range", `cell ids from ${cellIdStart} would pass 2^53`);
  const bad = batch.totals.findIndex((total) => !Number.isFinite(total));
  if (bad >= 0)
    throw new OmicsStoreError(
      "invalid_counts",
      `cell ${JSON.stringify(batch.originalIds[bad])}: total ${batch.totals[bad]} is not finite`,
    );
}

/** How this batch's values get into the scalar columns, nnz excepted. Checks what can be wrong with them. */
function scalarPusher(state: State, batch: BatchObs, rows: number): ScalarPusher {
  const first = state.options.cellIdStart + state.cells;
  const pushers = state.obs.map((field) => {
    const declared = { name: field.source, type: field.type };
    return columnPusher(declared, checkColumn(declared, ownColumn(batch.obs, field.source), rows));
  });
  return (buffers, from, to) => {
    const count = pushers.length;
    for (let row = from; row < to; row++) {
      buffers[0]!.pushNumber(first + row);
      buffers[1]!.pushString(batch.originalIds[row]!);
      buffers[count + 2]!.pushString(batch.obsExtra?.[row] ?? "{}");
      buffers[count + 3]!.pushNumber(batch.totals[row]!);
    }
    pushers.forEach((push, i) => {
      push(buffers[i + 2]!, from, to);
    });
  };
}

/** Rows encoded in one go: what the event loop waits for. */
const ENCODE_PAGES = 4;

async function appendBatch(state: State, batch: IngestBatch): Promise<void> {
  const { rows } = batch;
  const { options } = state;
  checkCsr(rows, options.features.ids.length);
  checkBatch(state, batch, rows.nRows);
  const push = scalarPusher(state, batch, rows.nRows);
  state.waiting.push({ push, originalIds: batch.originalIds, from: 0, to: rows.nRows });
  state.cells += rows.nRows;
  let from = 0;
  if (state.pending !== undefined) {
    from = Math.min(rows.nRows, options.pageCells - state.pending.nRows);
    state.pending = concatRows([state.pending, viewRows(rows, 0, from)]);
    if (state.pending.nRows === options.pageCells) {
      await encodeAndPlace(state, state.pending);
      state.pending = undefined;
    }
  }
  const step = ENCODE_PAGES * options.pageCells;
  const whole = rows.nRows - ((rows.nRows - from) % options.pageCells);
  for (; from < whole; from = Math.min(whole, from + step))
    await encodeAndPlace(state, viewRows(rows, from, Math.min(whole, from + step)));
  if (from === rows.nRows && state.pending === undefined) return;
  if (from < rows.nRows) state.pending = sliceRows(rows, from, rows.nRows);
  // Wrong values are told by the call that brought them, also those that wait for their page to fill.
  const rest = state.pending!;
  const names = namesOf(state);
  encodeRows(rest, 0, rest.nRows, options.featureIdStart, emptyLists(options.countsType), names);
  push(scalarFields(state.obs).map(discardingBuffer), from, rows.nRows);
}

function namesOf(state: State): MatrixNames {
  const { waiting, options } = state;
  return {
    cell: (row) => {
      let left = row;
      for (const { originalIds, from, to } of waiting) {
        if (left < to - from) return JSON.stringify(originalIds[from + left]);
        left -= to - from;
      }
      return `row ${row}`;
    },
    gene: (column) => JSON.stringify(options.features.ids[column]),
  };
}

async function encodeAndPlace(state: State, rows: CsrRowsLike): Promise<void> {
  const { options } = state;
  throwIfAborted(options.signal);
  await place(state, encodeMatrixPages(rows, { ...encodeOptions(options), names: namesOf(state) }));
}

/** What `encodeMatrixPages` must be given so that a writer with these options takes its pages. */
function encodeOptions(options: CheckedIngestOptions) {
  return {
    countsType: options.countsType,
    encoding: options.encoding,
    ...(options.compression === undefined ? {} : { compression: options.compression }),
    featureIdStart: options.featureIdStart,
    nFeatures: options.features.ids.length,
    pageCells: options.pageCells,
  };
}

/** Hands the pages to the files, with the obs of their cells from the batches that wait. */
async function place(state: State, encoded: EncodedPages): Promise<void> {
  const nnzColumn = state.obs.length + 4;
  let row = 0;
  for (const [index, { rows }] of encoded.pages.entries()) {
    const start = row;
    const push: ScalarPusher = (buffers, from, to) => {
      let left = to - from;
      // Both sets of buffers take the same cells: the queue is shortened below.
      for (const entry of state.waiting) {
        if (left === 0) break;
        const take = Math.min(left, entry.to - entry.from);
        entry.push(buffers, entry.from, entry.from + take);
        left -= take;
      }
      for (let i = from; i < to; i++) buffers[nnzColumn]!.pushNumber(encoded.lengths[start + i - from]!);
    };
    await state.files.page(encoded, index, start, push);
    drop(state, rows);
    row += rows;
  }
  state.nnz += encoded.nnz;
}

function drop(state: State, rows: number): void {
  let left = rows;
  while (left > 0) {
    const entry = state.waiting[0]!;
    const take = Math.min(left, entry.to - entry.from);
    entry.from += take;
    left -= take;
    if (entry.from === entry.to) state.waiting.shift();
  }
}

async function appendEncoded(state: State, batch: EncodedBatch): Promise<void> {
  const { pages } = batch;
  if (state.cells % state.options.pageCells !== 0)
    throw new OmicsStoreError(
      "invalid_request",
      `encoded pages can follow a multiple of ${state.options.pageCells} cells, not ${state.cells}`,
    );
  if (pages.encoding !== state.options.encoding || pages.countsType !== state.options.countsType)
    throw new OmicsStoreError(
      "invalid_request",
      "the pages were encoded with other options than the writer's",
    );
  checkBatch(state, batch, pages.nRows);
  const push = scalarPusher(state, batch, pages.nRows);
  state.waiting.push({ push, originalIds: batch.originalIds, from: 0, to: pages.nRows });
  state.cells += pages.nRows;
  await place(state, pages);
}

/** Rows over the same entries, not copied. */
function viewRows(rows: CsrRowsLike, from: number, to: number): CsrRowsLike {
  if (from === 0 && to === rows.nRows) return rows;
  const base = rows.indptr[from]!;
  const end = rows.indptr[to]!;
  return {
    nRows: to - from,
    nCols: rows.nCols,
    indptr: rows.indptr.subarray(from, to + 1).map((offset) => offset - base),
    indices: rows.indices.subarray(base, end),
    data: rows.data.subarray(base, end),
  };
}

async function finish(state: State): Promise<IngestManifest> {
  const { options } = state;
  if (state.pending !== undefined) await encodeAndPlace(state, state.pending);
  state.pending = undefined;
  const files = await state.files.finish();
  const features = await writeFeatures(options, options.compression ?? "zstd");
  const manifest: IngestManifest = {
    version: 2,
    ingestId: options.ingestId,
    source: options.provenance,
    cells: state.cells,
    nnz: state.nnz,
    features: options.features.ids.length,
    cellIdStart: options.cellIdStart,
    featureIdStart: options.featureIdStart,
    obsSchema: state.obs,
    featureColumns: features.fields,
    countsType: options.countsType,
    encoding: options.encoding,
    pageCells: options.pageCells,
    files: [...files, features.entry].map(({ name, rows, bytes, sha256 }) => ({ name, rows, bytes, sha256 })),
    createdBy: "cytomesh omics-store 2",
  };
  await writeJson(join(options.dir, MANIFEST), manifest);
  return manifest;
}
