import { OmicsStoreError } from "./errors.ts";
import type { IngestWriterOptions } from "./ingest-writer.ts";
import { PAGE_CELLS, ROW_GROUP_BYTES } from "./parquet/format.ts";

const INT32_MAX = 2 ** 31 - 1;
/** 1 M cells with pages of the default size. Files are cut by their bytes long before, unless cells are nearly empty. */
const DEFAULT_FILE_PAGES = 4096;

export type CheckedIngestOptions = Required<Omit<IngestWriterOptions, "signal" | "compression">> &
  Pick<IngestWriterOptions, "signal" | "compression">;

/** Defaults filled in, ranges checked: `invalid_request` or `id_out_of_range`. */
export function checkedOptions(o: IngestWriterOptions): CheckedIngestOptions {
  const pageCells = o.pageCells ?? PAGE_CELLS;
  const filesMaxCells = o.filesMaxCells ?? DEFAULT_FILE_PAGES * pageCells;
  const rowGroupBytes = o.rowGroupBytes ?? ROW_GROUP_BYTES;
  const wrong = (what: string): never => {
    throw new OmicsStoreError("invalid_request", what);
  };
  if (!/^[^\0]+$/u.test(o.ingestId)) wrong("ingestId must be non-empty text without U+0000");
  if (!Number.isInteger(pageCells) || pageCells < 1 || pageCells > 8192)
    wrong(`pageCells must be in 1..8192, got ${pageCells}`);
  if (!Number.isInteger(filesMaxCells) || filesMaxCells < 1 || filesMaxCells % pageCells !== 0)
    wrong(`filesMaxCells must be a multiple of pageCells (${pageCells}), got ${filesMaxCells}`);
  if (!(rowGroupBytes > 0)) wrong(`rowGroupBytes must be positive, got ${rowGroupBytes}`);
  if (!Number.isSafeInteger(o.cellIdStart) || o.cellIdStart < 0)
    throw new OmicsStoreError("id_out_of_range", `cellIdStart must be in 0..2^53−1, got ${o.cellIdStart}`);
  const lastFeature = o.featureIdStart + o.features.ids.length - 1;
  if (!Number.isInteger(o.featureIdStart) || o.featureIdStart < 0 || lastFeature > INT32_MAX)
    throw new OmicsStoreError(
      "id_out_of_range",
      `feature ids ${o.featureIdStart}..${lastFeature} do not fit int32 (0..${INT32_MAX})`,
    );
  return { ...o, pageCells, filesMaxCells, rowGroupBytes, encoding: o.encoding ?? "delta" };
}
