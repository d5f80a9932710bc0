/** A file or folder on the local disk with the checksum that the catalog knows, as plain data that crosses threads. */
export interface LocalResource {
  /** Name in the catalog. */
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the file; of `manifest.json` for a folder. */
  readonly sha256: string;
}

/** What a thread opens to answer. It keeps them open by checksum, `cached` of each kind at most. */
export interface Resources {
  readonly model: LocalResource;
  readonly index?: LocalResource;
  readonly ontology?: LocalResource;
  readonly cached: number;
}

/** Rows as they came, in buffers of their own so that they can be handed to a thread. All little-endian. */
export interface PackedRows {
  readonly cellIds: string[];
  /** uint32[cells + 1] */
  readonly indptr: Uint8Array;
  /** uint32[nnz] */
  readonly indices: Uint8Array;
  /** float32[nnz] */
  readonly data: Uint8Array;
  /** float32[cells], or empty. */
  readonly totalCounts: Uint8Array;
}

/** What the genes of a query have in common with the model. */
export interface Overlap {
  readonly modelGenes: number;
  readonly queryGenes: number;
  readonly sharedGenes: number;
}

/** Keep only reference cells whose value of a column is one of these. */
export interface ColumnFilter {
  readonly column: string;
  readonly in: string[];
}
