/** What went wrong, as one word. The table below says how each tag travels over gRPC and HTTP. */
export type ObjectStoreErrorTag =
  | "object-not-found"
  | "bucket-not-found"
  | "object-exists"
  | "path-conflict"
  | "permission-denied"
  | "unauthenticated"
  | "invalid-uri"
  | "invalid-range"
  | "object-too-large"
  | "storage-full"
  | "write-conflict"
  | "source-changed"
  | "invalid-json"
  | "corrupt-transfer"
  | "store-unavailable"
  | "store-closed"
  | "unsupported"
  | "cancelled"
  | "internal";

interface Mapping {
  readonly grpcCode: string;
  readonly httpStatus: number;
  /** The same call may succeed later without anything being changed. */
  readonly retryable?: true;
}

export const OBJECT_STORE_ERRORS: Readonly<Record<ObjectStoreErrorTag, Mapping>> = {
  "object-not-found": { grpcCode: "not_found", httpStatus: 404 },
  "bucket-not-found": { grpcCode: "not_found", httpStatus: 404 },
  "object-exists": { grpcCode: "already_exists", httpStatus: 409 },
  "path-conflict": { grpcCode: "failed_precondition", httpStatus: 409 },
  "permission-denied": { grpcCode: "permission_denied", httpStatus: 403 },
  unauthenticated: { grpcCode: "unauthenticated", httpStatus: 401 },
  "invalid-uri": { grpcCode: "invalid_argument", httpStatus: 400 },
  "invalid-range": { grpcCode: "invalid_argument", httpStatus: 416 },
  "object-too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  "storage-full": { grpcCode: "resource_exhausted", httpStatus: 507 },
  "write-conflict": { grpcCode: "aborted", httpStatus: 409, retryable: true },
  "source-changed": { grpcCode: "aborted", httpStatus: 409, retryable: true },
  "invalid-json": { grpcCode: "data_loss", httpStatus: 500 },
  "corrupt-transfer": { grpcCode: "data_loss", httpStatus: 502, retryable: true },
  "store-unavailable": { grpcCode: "unavailable", httpStatus: 503, retryable: true },
  "store-closed": { grpcCode: "failed_precondition", httpStatus: 409 },
  unsupported: { grpcCode: "unimplemented", httpStatus: 501 },
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
  internal: { grpcCode: "internal", httpStatus: 500 },
};

export class ObjectStoreError extends Error {
  readonly tag: ObjectStoreErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  /** True when the same call may succeed later (network, 5xx, 429, write races). */
  readonly retryable: boolean;
  /** The object or prefix concerned, where there is one. */
  readonly uri: string | undefined;

  constructor(tag: ObjectStoreErrorTag, message: string, details: { uri?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "ObjectStoreError";
    const mapping = OBJECT_STORE_ERRORS[tag];
    this.tag = tag;
    this.grpcCode = mapping.grpcCode;
    this.httpStatus = mapping.httpStatus;
    this.retryable = mapping.retryable === true;
    this.uri = details.uri;
  }
}
