export { type Assignments, readAssignments, readIngestFeatures } from "./assignments.ts";
export {
  type BinReader,
  type BinsManifest,
  binFileName,
  fetchBinsManifest,
  openBin,
  parseBinsManifest,
  totalCountsColumn,
} from "./bin-file.ts";
export * from "./codec.ts";
export { sliceColumn } from "./column-sink.ts";
export { countCells, readColumns } from "./count-cells.ts";
export { readCurriculum, readFeatures } from "./curriculum.ts";
export type { OmicsStoreErrorTag } from "./errors.ts";
export { type ExtractOptions, type ExtractProgress, extractBins } from "./extract.ts";
export { hashFile } from "./files.ts";
export {
  type Filter,
  type FilterOp,
  type FilterParam,
  type FilterValue,
  filterOps,
  filterToSql,
  parseFilters,
} from "./filters.ts";
export { farmFingerprint } from "./fingerprint.ts";
export { farmFingerprintIds } from "./fingerprint-ids.ts";
export {
  createIngestWriter,
  type EncodedBatch,
  type IngestBatch,
  type IngestWriter,
  type IngestWriterOptions,
} from "./ingest-writer.ts";
export { builtInColumns, type Ingest, openIngest } from "./ingests.ts";
export { type MeasuredGenes, readMeasuredGenes } from "./measured-genes.ts";
export { type PrepareOptions, prepareCurriculum } from "./prepare.ts";
export {
  type DistinctValue,
  distinctValues,
  type ObsRows,
  type ReadObsOptions,
  readObs,
} from "./read-obs.ts";
export { type MatrixBatch, type ScanOptions, scanMatrix } from "./scan-matrix.ts";
export type * from "./types.ts";
