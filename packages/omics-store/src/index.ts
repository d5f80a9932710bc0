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
export { type BinMatrix, createRoom, type MatrixRoom } from "./bin-matrix.ts";
export * from "./codec.ts";
export { countCells, readColumns } from "./count-cells.ts";
export { readCurriculum, readFeatures } from "./curriculum.ts";
export { type DealOptions, dealRows } from "./deal-rows.ts";
export type { OmicsStoreErrorTag } from "./errors.ts";
export {
  type ExtractOptions,
  type ExtractProgress,
  extractBins,
  openBinGroup,
  openExtraction,
} from "./extract.ts";
export { type BinGroup, type BinHead, type Dealing, finishBin } from "./extract-group.ts";
export type { Extraction, ExtractionRequest } from "./extraction.ts";
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
