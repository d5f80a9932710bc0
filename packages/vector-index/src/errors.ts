/** What can go wrong in this package, and how a service reports it. */
const TABLE = {
  invalid_argument: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A vector or query that has no distance to anything: non-finite, or all zeros under cosine. */
  invalid_vector: { grpcCode: "invalid_argument", httpStatus: 400 },
  unknown_column: { grpcCode: "invalid_argument", httpStatus: 400 },
  target_in_use: { grpcCode: "already_exists", httpStatus: 409 },
  not_found: { grpcCode: "not_found", httpStatus: 404 },
  /** A file of the index is not the one that was written. */
  corrupt_index: { grpcCode: "data_loss", httpStatus: 500 },
  unsupported_version: { grpcCode: "unimplemented", httpStatus: 501 },
  /** The file system refused: no space, no permission. */
  storage: { grpcCode: "unavailable", httpStatus: 503 },
  native: { grpcCode: "internal", httpStatus: 500 },
  closed: { grpcCode: "failed_precondition", httpStatus: 500 },
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
} as const;

export type VectorIndexErrorTag = keyof typeof TABLE;

export interface VectorIndexErrorFields {
  readonly cause?: unknown;
  /** The file at fault. */
  readonly path?: string;
  /** The vector or query at fault, counted from 0. */
  readonly row?: number;
}

export class VectorIndexError extends Error {
  readonly tag: VectorIndexErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly path: string | undefined;
  readonly row: number | undefined;

  constructor(tag: VectorIndexErrorTag, message: string, fields: VectorIndexErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "VectorIndexError";
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
    this.path = fields.path;
    this.row = fields.row;
  }
}

/** Throws a `cancelled` error when the signal has fired; its reason becomes the cause. */
export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) {
    throw new VectorIndexError("cancelled", `${what} was cancelled`, { cause: signal.reason });
  }
}
