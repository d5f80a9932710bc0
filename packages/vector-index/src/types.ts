/**
 * How far apart two vectors are. Every metric is a distance: smaller is nearer, results ascend.
 *
 * - `cosine`: 1 − cos(query, vector), rounded to 9 decimals.
 * - `l2`: Euclidean distance (not squared).
 * - `dot_product`: 1 − query·vector, so the largest dot product comes first; negative when the product exceeds 1.
 */
export type Metric = "cosine" | "l2" | "dot_product";

export type IndexKind = "exact" | "hnsw";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Categorical metadata by position. */
export interface MetadataColumn {
  readonly name: string;
  /** One code per vector: an index into `categories`, or −1 for missing. */
  readonly codes: Int32Array;
  readonly categories: readonly string[];
}

export interface IndexInput {
  readonly dimension: number;
  readonly metric: Metric;
  /** Non-negative integers below 2^53. When an id appears twice the later vector replaces the earlier one. */
  readonly ids: Float64Array;
  /** ids.length × dimension, row-major, finite; for `cosine` none may be all zeros. */
  readonly vectors: Float32Array;
  readonly metadata: readonly MetadataColumn[];
  /** `auto` (the default) is exact below 200,000 vectors, HNSW from there on. */
  readonly kind?: "auto" | IndexKind;
  /** HNSW links per node; default 16. */
  readonly connectivity?: number;
  /** HNSW search width while building; default 128. */
  readonly expansionAdd?: number;
  /** Lineage of the index: model, curriculum, ingests. Kept as given. */
  readonly manifest: Readonly<Record<string, Json>>;
}

export interface BuildOptions {
  readonly signal?: AbortSignal;
  /** Threads that link the HNSW graph; default 1, the only value that gives byte-identical rebuilds. */
  readonly threads?: number;
}

export interface OpenOptions {
  /** Threads of one search; default 1. */
  readonly threads?: number;
  /** A filter that keeps at most this many vectors is answered exactly even by an HNSW index; default 50,000. */
  readonly exactBelow?: number;
  readonly signal?: AbortSignal;
}

export interface FileEntry {
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface GraphInfo {
  /** Components of a graph vector: the dimension of the index, plus one for `dot_product`. */
  readonly dimension: number;
  readonly quantization: "f16" | "f32";
  readonly connectivity: number;
  readonly expansionAdd: number;
  /** A graph vector is (vector − centre) / scale. */
  readonly centre: readonly number[];
  readonly scale: number;
}

export interface IndexManifest {
  readonly format: "cytomesh.vector-index";
  readonly version: 1;
  readonly kind: IndexKind;
  readonly metric: Metric;
  readonly dimension: number;
  /** Vectors held, after duplicate ids were replaced. */
  readonly size: number;
  /** Input vectors that a later one with the same id replaced. */
  readonly replaced: number;
  readonly columns: readonly string[];
  readonly graph: GraphInfo | null;
  readonly files: Readonly<Record<string, FileEntry>>;
  readonly lineage: Readonly<Record<string, Json>>;
}

/** Keeps the vectors whose value in `column` is one of `in`; a missing value never matches. */
export interface Filter {
  readonly column: string;
  readonly in: readonly string[];
}

export interface SearchOptions {
  /** All of them must match. */
  readonly filter?: readonly Filter[];
  /** HNSW candidates looked at per query; default max(64, 2k). More is slower and finds more. */
  readonly expansionSearch?: number;
  readonly signal?: AbortSignal;
}

export interface SearchResult {
  /** Width of a row of the arrays below: min(k asked for, size of the index). */
  readonly k: number;
  /** nq × k, row-major; −1 past `counts`. */
  readonly ids: Float64Array;
  /** nq × k; −1 past `counts`. */
  readonly positions: Int32Array;
  /** nq × k, ascending, ties by id; 0 past `counts`. */
  readonly distances: Float64Array;
  /** Neighbours found per query, at most k. */
  readonly counts: Int32Array;
}

export interface VectorIndex {
  readonly manifest: IndexManifest;
  readonly size: number;
  readonly dimension: number;
  /** The ids by position. Do not write to it. */
  readonly ids: Float64Array;
  /** The `k` nearest vectors of each of `nq` queries (`queries`: nq × dimension, row-major). */
  search(queries: Float32Array, nq: number, k: number, options?: SearchOptions): Promise<SearchResult>;
  metadata(column: string): MetadataColumn;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
