import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { checkCsr, emptyLists, encodeRows, type MatrixNames } from "./cell-lists.ts";
import { guarded, openDuck } from "./duck.ts";
import { OmicsStoreError } from "./errors.ts";
import { createdBy, describeFile, exists, MANIFEST, writeJson } from "./files.ts";
import { writeFeatures } from "./ingest-features.ts";
import { checkedOptions } from "./ingest-options.ts";
import {
  appendPiece,
  fileColumns,
  type IngestState,
  partName,
  pieceEnd,
  tableTypes,
  writePart,
} from "./ingest-table.ts";
import { reservedObsNames, storedFields } from "./names.ts";
import { copyToParquet, quoteIdentifier, readParquet } from "./sql.ts";
import { checkColumn, columnFiller, ownColumn } from "./store-columns.ts";
import type {
  CountsType,
  CsrRowsLike,
  FileEntry,
  IngestManifest,
  IngestProvenance,
  ObsColumn,
  ObsField,
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
  /** Rows per Parquet row group, a multiple of 2048; DuckDB lets a group grow or shrink by less than 2048. Default 4096. */
  rowGroupCells?: number;
  /** Cells per file, at most 122880. Default 16384; a file is also cut at 48 M non-zeros. */
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
  const state: IngestState = {
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

async function appendBatch(state: IngestState, batch: IngestBatch): Promise<void> {
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
    return columnFiller(declared, checkColumn(declared, ownColumn(batch.obs, field.source), rows.nRows));
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

/** Rows per row group of obs.parquet, which is scanned whole or not at all. */
const OBS_GROUP_ROWS = 65_536;

async function finish(state: IngestState): Promise<IngestManifest> {
  const { options, duck } = state;
  const { dir } = options;
  if (state.openCells > 0 || state.parts.length === 0) await writePart(state);
  const parts = state.parts.map((p) => join(dir, p.name));
  const keep = fileColumns(state.obs).slice(0, -2).map(quoteIdentifier).join(", ");
  await duck.run(
    copyToParquet(`SELECT ${keep} FROM ${readParquet(parts)}`, join(dir, "obs.parquet"), OBS_GROUP_ROWS),
  );
  const featureColumns = await writeFeatures(duck, options);
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
