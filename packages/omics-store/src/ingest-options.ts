import { OmicsStoreError } from "./errors.ts";
import type { IngestWriterOptions } from "./ingest-writer.ts";
import { VECTOR_ROWS } from "./vectors.ts";

const INT32_MAX = 2 ** 31 - 1;
const DEFAULT_ROW_GROUP_CELLS = 4096;
const DEFAULT_FILE_CELLS = 16_384;
/** One DuckDB table row group: a file is then written from one batch, and its bytes cannot depend on threads. */
const MAX_FILE_CELLS = 122_880;

export type CheckedIngestOptions = Required<Omit<IngestWriterOptions, "signal">> &
  Pick<IngestWriterOptions, "signal">;

/** Defaults filled in, ranges checked: `invalid_request` or `id_out_of_range`. */
export function checkedOptions(o: IngestWriterOptions): CheckedIngestOptions {
  const rowGroupCells = o.rowGroupCells ?? DEFAULT_ROW_GROUP_CELLS;
  const filesMaxCells = o.filesMaxCells ?? DEFAULT_FILE_CELLS;
  const wrong = (what: string): never => {
    throw new OmicsStoreError("invalid_request", what);
  };
  if (!/^[^\0]+$/u.test(o.ingestId)) wrong("ingestId must be non-empty text without U+0000");
  if (!Number.isInteger(rowGroupCells) || rowGroupCells < VECTOR_ROWS || rowGroupCells % VECTOR_ROWS !== 0)
    wrong(`rowGroupCells must be a multiple of ${VECTOR_ROWS} (DuckDB's vector), got ${rowGroupCells}`);
  if (!Number.isInteger(filesMaxCells) || filesMaxCells < 1 || filesMaxCells > MAX_FILE_CELLS)
    wrong(`filesMaxCells must be in 1..${MAX_FILE_CELLS}, got ${filesMaxCells}`);
  if (!Number.isSafeInteger(o.cellIdStart) || o.cellIdStart < 0)
    throw new OmicsStoreError("id_out_of_range", `cellIdStart must be in 0..2^53−1, got ${o.cellIdStart}`);
  const lastFeature = o.featureIdStart + o.features.ids.length - 1;
  if (!Number.isInteger(o.featureIdStart) || o.featureIdStart < 0 || lastFeature > INT32_MAX)
    throw new OmicsStoreError(
      "id_out_of_range",
      `feature ids ${o.featureIdStart}..${lastFeature} do not fit int32 (0..${INT32_MAX})`,
    );
  return { ...o, rowGroupCells, filesMaxCells };
}
