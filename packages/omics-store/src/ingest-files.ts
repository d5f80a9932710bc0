import { join } from "node:path";
import { FEATURES_FILE } from "./ingest-features.ts";
import type { CheckedIngestOptions } from "./ingest-options.ts";
import { type ByteBlocks, byteBlocks } from "./parquet/byte-blocks.ts";
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

/** Pages of a list column that wait for their row group to end. */
interface OpenPages {
  readonly bytes: ByteBlocks;
  pages: { length: number; firstRow: number }[];
  plainBytes: number;
}

/** The cells files and obs.parquet of an ingest in the making. */
export interface IngestFiles {
  readonly cells: number;
  /** Adds one encoded page, whose bytes are copied, and its cells' obs from row `from` of their batch on. */
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
  const openPages = (): OpenPages => ({ bytes: byteBlocks(), pages: [], plainBytes: 0 });
  const open = { ids: openPages(), counts: openPages() };
  let openRows = 0;
  let openEntries = 0;

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
    const [rows, entries] = [openRows, openEntries];
    [openRows, openEntries] = [0, 0];
    const target = await openFile();
    const list = ({ bytes, pages, plainBytes }: OpenPages, compression: Compression, packed: boolean) => ({
      parts: bytes.parts(),
      pages,
      entries,
      uncompressed: plainBytes,
      compression,
      delta: packed,
    });
    await target.rowGroup(rows, await finishColumns(group), scalarCompression, [
      list(open.ids, codecs.ids, delta),
      list(open.counts, codecs.counts, delta && countsType === "int32"),
    ]);
    for (const column of [open.ids, open.counts]) {
      column.bytes.clear();
      column.pages = [];
      column.plainBytes = 0;
    }
    fileGroups++;
  };
  const put = ({ bytes, pages }: OpenPages, page: Uint8Array): void => {
    bytes.append(page);
    pages.push({ length: page.length, firstRow: openRows });
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
      const countsAt = page.at + page.idBytes;
      const end = countsAt + page.countBytes;
      put(open.ids, encoded.bytes.subarray(page.at, countsAt));
      put(open.counts, encoded.bytes.subarray(countsAt, end));
      open.ids.plainBytes += page.idPlainBytes;
      open.counts.plainBytes += page.countPlainBytes;
      push(group, from, from + page.rows);
      push(obsGroup, from, from + page.rows);
      total += page.rows;
      fileRows += page.rows;
      obsRows += page.rows;
      openRows += page.rows;
      openEntries += page.entries;
      if (
        open.ids.bytes.length + open.counts.bytes.length >= options.rowGroupBytes ||
        heldBytes(group) >= HELD_BYTES
      )
        await endGroup();
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
