/** What is wrong with one field of a request. `field` is a path such as `spec.ingest.uris[3]`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

const TABLE = {
  invalid_argument: { grpcCode: "invalid_argument", httpStatus: 400 },
  bad_page_token: { grpcCode: "invalid_argument", httpStatus: 400 },
  not_found: { grpcCode: "not_found", httpStatus: 404 },
  already_exists: { grpcCode: "already_exists", httpStatus: 409 },
  failed_precondition: { grpcCode: "failed_precondition", httpStatus: 412 },
  job_not_ready: { grpcCode: "failed_precondition", httpStatus: 412 },
  job_ended: { grpcCode: "failed_precondition", httpStatus: 412 },
  parent_not_successful: { grpcCode: "failed_precondition", httpStatus: 412 },
  lease_held: { grpcCode: "aborted", httpStatus: 409 },
  lease_lost: { grpcCode: "aborted", httpStatus: 409 },
  unavailable: { grpcCode: "unavailable", httpStatus: 503 },
  database_setup: { grpcCode: "internal", httpStatus: 500 },
  migration: { grpcCode: "internal", httpStatus: 500 },
  internal: { grpcCode: "internal", httpStatus: 500 },
} as const satisfies Record<string, { grpcCode: string; httpStatus: number }>;

export type ApiErrorTag = keyof typeof TABLE;

export interface ApiErrorOptions {
  readonly violations?: readonly FieldViolation[];
  /** Kept for logs, never sent. */
  readonly cause?: unknown;
}

/** Every error the control plane throws on purpose. The rpc layer reads `tag`, `grpcCode`, `httpStatus` and `violations`. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly tag: ApiErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations: readonly FieldViolation[];

  constructor(tag: ApiErrorTag, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
    this.violations = options.violations ?? [];
  }
}

/** One `invalid_argument` that lists everything found wrong. Does nothing when the list is empty. */
export function throwViolations(what: string, violations: readonly FieldViolation[]): void {
  if (violations.length === 0) return;
  const shown = violations.slice(0, 20).map((v) => `${v.field}: ${v.description}`);
  const more = violations.length > shown.length ? `; and ${violations.length - shown.length} more` : "";
  throw new ApiError("invalid_argument", `${what} is not valid. ${shown.join("; ")}${more}`, { violations });
}

/** The `not_found` of a named thing. */
export function notFound(kind: string, name: string): ApiError {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return new ApiError("not_found", `there is no ${kind} ${JSON.stringify(shown)}`);
}
