/**
 * Every way this package fails. `grpcCode` and `httpStatus` are what the RPC layer answers with; the message says what was expected,
 * what was found, where, and how to recover.
 */
const table = {
  /** The path does not exist or is not a regular file. */
  "file-not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** The process may not read or write the path. */
  "permission-denied": { grpcCode: "permission_denied", httpStatus: 403 },
  /** The bytes are not HDF5. */
  "not-hdf5": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** HDF5, but not an AnnData file. */
  "not-anndata": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The file ends before what its superblock declares. */
  truncated: { grpcCode: "data_loss", httpStatus: 422 },
  /** The HDF5 structure is damaged, or the reader trapped on it. */
  corrupt: { grpcCode: "data_loss", httpStatus: 422 },
  /** HDF5 is fine, what it holds contradicts itself: indptr, indices, codes, encodings. */
  invalid: { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A column, matrix or embedding whose length or shape is not that of obs or var. */
  "wrong-length": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A link that leaves the file, a virtual dataset or a cycle. */
  "refused-link": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A valid layout, type or compression filter that this package does not read. */
  unsupported: { grpcCode: "unimplemented", httpStatus: 422 },
  /** More memory than `maxBytes` allows. */
  "too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  /** A column, layer or obsm key that the file does not have. */
  "not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** A row range or option outside its bounds, or input to the writer that contradicts itself. */
  "invalid-argument": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The file was used after close(). */
  closed: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** The isolated reader did not finish in time and was ended. */
  "reader-timeout": { grpcCode: "deadline_exceeded", httpStatus: 422 },
  /** The isolated reader died (out of memory, trap). */
  "reader-crashed": { grpcCode: "data_loss", httpStatus: 422 },
  /** The caller's AbortSignal fired. */
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
  /** Writing failed: disk full, folder missing; see `cause`. */
  "write-failed": { grpcCode: "internal", httpStatus: 500 },
} as const;

/** What went wrong, for programs. */
export type AnnDataErrorTag = keyof typeof table;

/** What this package throws. */
export class AnnDataError extends Error {
  readonly tag: AnnDataErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: AnnDataErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "AnnDataError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
