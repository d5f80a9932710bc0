/**
 * Every way this package fails. `grpcCode` and `httpStatus` are what the RPC layer answers with; the message says what was expected,
 * what was found and where.
 */
const table = {
  /** A filter is malformed: unknown operator, wrong value type for the column, empty list. */
  invalid_filter: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A filter, key or obs column that no ingest has. */
  unknown_column: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A request or option is out of range. */
  invalid_request: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** An obs or var column cannot be stored (name, length, type). */
  invalid_column: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A matrix value or its CSR structure cannot be stored. */
  invalid_counts: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A cell or feature id does not fit the types of the store. */
  id_out_of_range: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The filters leave no cell. */
  no_cells: { grpcCode: "failed_precondition", httpStatus: 422 },
  /** The folder already holds a finished ingest or another curriculum. */
  already_exists: { grpcCode: "already_exists", httpStatus: 409 },
  /** A folder without a manifest, or a bin that the curriculum does not have. */
  not_found: { grpcCode: "not_found", httpStatus: 404 },
  /** Given ingests are not the ones the curriculum was prepared from. */
  ingest_mismatch: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** Stored files contradict their manifest. */
  corrupt: { grpcCode: "data_loss", httpStatus: 500 },
  /** An ingest of a version that this release does not read. */
  unsupported_version: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** The caller's AbortSignal fired. */
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
  /** The writer was used after finish(), abort() or a failed append. */
  writer_closed: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** DuckDB or the disk failed; see `cause`. */
  engine: { grpcCode: "internal", httpStatus: 500 },
} as const;

export type OmicsStoreErrorTag = keyof typeof table;

export class OmicsStoreError extends Error {
  readonly tag: OmicsStoreErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: OmicsStoreErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "OmicsStoreError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
