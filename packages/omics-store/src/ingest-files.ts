import { join } from "node:path";
import { FEATURES_FILE } from "./ingest-features.ts";
import type { CheckedIngestOptions } from "./ingest-options.ts";
import { type ColumnBuffer, columnBuffer, type ScalarField } from "./parquet/column-buffer.ts";
import { createParquetFile, type ListField, type ParquetFileWriter } from "./parquet/file-writer.ts";
import type { Compression } from "./parquet/format.ts";
import { type EncodedPages, listCompression } from "./parquet/matrix-pages.ts";
import { scalarType } from "./store-columns.ts";
import type { FileEntry, StoredField } from "./types.ts";

/** A cells file ends after the row group that takes it past this. */
const FILE_BYTES = 512 * 1024 ** 2;
/** Row groups per file at most: the footer, which readers hold, grows with them. */
const FILE_GROUPS = 64;
/** Obs values held in memory at most before a row group ends early: files with very many obs columns, or next to no counts. */
const HELD_BYTES = 16 * 1024 ** 2;
/** Rows per row group of obs.parquet, which is scanned whole or not at all. */
const OBS_GROUP_ROWS = 32_768;

export const OBS_FILE = "obs.parquet";

/** Pushes the obs values of cells `from`..`to` of a batch into buffers of all scalar columns. */
export type ScalarPusher = (buffers: readonly ColumnBuffer[], from: number, to: number) => void;

interface OpenPages {
  bytes: Uint8Array;
  countsAt: number;
  firstRow: number;
}

/** The cells files and obs.parquet of an ingest in the making. */
export interface IngestFiles {
  readonly cells: number;
  /** Adds one encoded page, and its cells' obs from row `from` of their batch on. */
  page(pages: EncodedPages, index: number, from: number, push: ScalarPusher): Promise<void>;
  finish(): Promise<FileEntry[]>;
  abort(): Promise<string[]>;
}

export function scalarFields(obs: readonly StoredField[]): ScalarField[] {
  return [
    { name: "cell_id", type: "int64", optional: false },
    { name: "original_cell_id", type: "string", optional: false },
    ...obs.map((f) => ({ name: f.column, type: scalarType[f.type], optional: true })),
    { name: "obs_extra", type: "string", optional: false },
    { name: "n_counts", type: "double", optional: false },
    { name: "nnz", type: "int32", optional: false },
  ];
}

const breathe = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export async function createIngestFiles(
  options: CheckedIngestOptions,
  obs: readonly StoredField[],
): Promise<IngestFiles> {
  const { dir, countsType } = options;
  const scalars = scalarFields(obs);
  const scalarCompression: Compression = options.compression ?? "zstd";
  const codecs = listCompression(options);
  const delta = options.encoding === "delta";
  const lists: ListField[] = [
    { name: "feature_ids", element: "INT32" },
    { name: "counts", element: countsType === "int32" ? "INT32" : "FLOAT" },
  ];
  const group = scalars.map(columnBuffer);
  const obsGroup = scalars.map(columnBuffer);
  const obsFile = await createParquetFile(join(dir, OBS_FILE), scalars, []);
  const done: FileEntry[] = [];
  const names = [OBS_FILE, FEATURES_FILE];
  let file: ParquetFileWriter | undefined;
  let fileRows = 0;
  let fileGroups = 0;
  let total = 0;
  let obsRows = 0;
  let open: OpenPages[] = [];
  let openRows = 0;
  let openEntries = 0;
  let openBytes = 0;
  let plain = { ids: 0, counts: 0 };

  const partName = (): string => `cells-${String(done.length).padStart(5, "0")}.parquet`;
  const heldBytes = (buffers: readonly ColumnBuffer[]): number => buffers.reduce((sum, b) => sum + b.held, 0);
  const finishColumns = async (buffers: readonly ColumnBuffer[]) => {
    const chunks = [];
    for (const buffer of buffers) {
      chunks.push(buffer.finish(scalarCompression));
      await breathe();
    }
    return chunks;
  };
  const openFile = async (): Promise<ParquetFileWriter> => {
    if (file === undefined) {
      names.push(partName());
      file = await createParquetFile(join(dir, partName()), scalars, lists);
    }
    return file;
  };
  const endGroup = async (): Promise<void> => {
    if (openRows === 0) return;
    const [pages, rows, entries, sizes] = [open, openRows, openEntries, plain];
    [open, openRows, openEntries, openBytes, plain] = [[], 0, 0, 0, { ids: 0, counts: 0 }];
    const target = await openFile();
    await target.rowGroup(rows, await finishColumns(group), scalarCompression, [
      {
        pages: pages.map(({ bytes, countsAt, firstRow }) => ({
          bytes: bytes.subarray(0, countsAt),
          firstRow,
        })),
        entries,
        uncompressed: sizes.ids,
        compression: codecs.ids,
        delta,
      },
      {
        pages: pages.map(({ bytes, countsAt, firstRow }) => ({ bytes: bytes.subarray(countsAt), firstRow })),
        entries,
        uncompressed: sizes.counts,
        compression: codecs.counts,
        delta: delta && countsType === "int32",
      },
    ]);
    fileGroups++;
  };
  const endFile = async (): Promise<void> => {
    await endGroup();
    const target = await openFile();
    done.push({ name: partName(), ...(await target.finish()) });
    file = undefined;
    fileRows = 0;
    fileGroups = 0;
  };
  const endObsGroup = async (): Promise<void> => {
    if (obsRows === 0) return;
    const rows = obsRows;
    obsRows = 0;
    await obsFile.rowGroup(rows, await finishColumns(obsGroup), scalarCompression, []);
  };

  return {
    get cells() {
      return total;
    },
    page: async (encoded, index, from, push) => {
      const page = encoded.pages[index]!;
      if (fileRows + page.rows > options.filesMaxCells) await endFile();
      const end = page.at + page.idBytes + page.countBytes;
      open.push({ bytes: encoded.bytes.subarray(page.at, end), countsAt: page.idBytes, firstRow: openRows });
      push(group, from, from + page.rows);
      push(obsGroup, from, from + page.rows);
      total += page.rows;
      fileRows += page.rows;
      obsRows += page.rows;
      openRows += page.rows;
      openEntries += page.entries;
      openBytes += end - page.at;
      plain.ids += page.idPlainBytes;
      plain.counts += page.countPlainBytes;
      if (openBytes >= options.rowGroupBytes || heldBytes(group) >= HELD_BYTES) await endGroup();
      if (obsRows >= OBS_GROUP_ROWS || heldBytes(obsGroup) >= HELD_BYTES) await endObsGroup();
      if (file !== undefined && (file.bytes >= FILE_BYTES || fileGroups >= FILE_GROUPS)) await endFile();
    },
    finish: async () => {
      if (fileRows > 0 || done.length === 0) await endFile();
      await endObsGroup();
      return [...done, { name: OBS_FILE, ...(await obsFile.finish()) }];
    },
    abort: async () => {
      await file?.abort().catch(() => undefined);
      await obsFile.abort().catch(() => undefined);
      return [...names];
    },
  };
}
