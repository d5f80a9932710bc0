import type { Column, CsrRows } from "@cytomesh/anndata";

export type { NumberArray, NumberDtype } from "@cytomesh/anndata";

/** Rows of a count matrix, as the AnnData reader gives them. */
export type CsrRowsLike = CsrRows;

/** One obs or var column, as the AnnData reader gives it. */
export type ObsColumn = Column;

/** string → VARCHAR, int → BIGINT, float → DOUBLE (NaN is stored as NULL), bool → BOOLEAN. */
export type ObsType = "string" | "int" | "float" | "bool";

export interface ColumnType {
  name: string;
  type: ObsType;
}

/** What the caller of the writer declares. Order is kept. */
export type ObsField = ColumnType;

/** A column as the manifest records it: `source` is the name in the input, `name` the one used in requests, `column` the one in the files. */
export interface StoredField extends ColumnType {
  source: string;
  column: string;
}

export interface FileEntry {
  name: string;
  rows: number;
  bytes: number;
  sha256: string;
}

export interface IngestProvenance {
  /** File name of the source, without its folder. */
  sourceName: string;
  sha256: string;
  [key: string]: string | number | boolean | null;
}

/** `manifest.json` of one ingest. Its presence is what makes the ingest visible. */
export interface IngestManifest {
  version: 2;
  ingestId: string;
  source: IngestProvenance;
  cells: number;
  nnz: number;
  features: number;
  cellIdStart: number;
  featureIdStart: number;
  obsSchema: StoredField[];
  featureColumns: StoredField[];
  countsType: CountsType;
  /** How the lists are encoded. */
  encoding: MatrixEncoding;
  /** Cells per page of the lists. */
  pageCells: number;
  files: FileEntry[];
  createdBy: string;
}

/** "delta" is a third of "plain", and faster; "plain" is for readers without DELTA_BINARY_PACKED. Float counts are plain either way. */
export type MatrixEncoding = "delta" | "plain";

export type CountsType = "int32" | "float32";

export interface CurriculumRequest {
  /** JSON object `{"column__op": value}`; `{}` selects every cell. */
  filters: unknown;
  /** Ordered feature schema: the columns of every bin. */
  features: string[];
  /** Cells per bin, 1..2^31−1. */
  binSize: number;
  /** Bins never mix two values of these columns. */
  binKeys?: string[];
  /** Added to the cell id before the fingerprint; a safe integer. */
  seed: number;
  obsColumns: string[];
  /** A string column with more distinct values than this stays a string column. Default 2000. */
  categoryLimit?: number;
}

export interface CurriculumColumn extends ColumnType {
  /** Name inside assignments.parquet. */
  column: string;
  /** Whether any selected cell has no value. */
  nullable: boolean;
  /** Whether `categories` has this column. */
  categorical: boolean;
}

export interface CurriculumBin {
  bin: number;
  cells: number;
  /** Stored non-zeros of these cells over all genes of their ingests: an upper bound for the bin's matrix. */
  nnz: number;
  /** Key values joined with "##"; null is the group of cells with a missing key. Absent without binKeys. */
  key?: string | null;
}

export interface CurriculumManifest {
  version: 1;
  cells: number;
  nnz: number;
  binSize: number;
  bins: CurriculumBin[];
  lastBinCells: number;
  seed: number;
  filters: Record<string, unknown>;
  binKeys: string[];
  categoryLimit: number;
  obsColumns: CurriculumColumn[];
  /** Sorted by UTF-8 bytes (code point order), no null. */
  categories: Record<string, string[]>;
  ingests: { ingestId: string; cells: number; manifestSha256: string }[];
  features: { count: number; sha256: string };
  files: { name: string; bytes: number; sha256: string }[];
  createdBy: string;
}

/** One training bin, in rank order. Views into larger buffers: copy what outlives the callback. */
export interface BinData {
  bin: number;
  cellIds: Float64Array;
  /** Decimal cell ids, the obs index. */
  index: string[];
  /** Columns in schema order, indices ascending in every row, no explicit zero. */
  rows: CsrRowsLike;
  obs: Record<string, ObsColumn>;
}
