/** The ways in which the public edge refuses a request or to start. */
const table = {
  /** No token, or not one of the configured ones. */
  unauthenticated: { grpcCode: "unauthenticated", httpStatus: 401 },
  /** The request names a host that is not this one, or comes from a web page of another origin. */
  "foreign-origin": { grpcCode: "permission_denied", httpStatus: 403 },
  /** A malformed request: multipart, query parameters, JSON. */
  "bad-request": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A form without a required field, or with a value of the wrong type. */
  "bad-form": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** The uploaded file cannot be used as it is. */
  "bad-upload": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The upload is larger than allowed. */
  "upload-too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  /** The body has a media type that the endpoint does not read. */
  "unsupported-media-type": { grpcCode: "invalid_argument", httpStatus: 415 },
  /** No such path, or nothing of that name. */
  "not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** Too much is going on; another try may succeed. */
  busy: { grpcCode: "unavailable", httpStatus: 503 },
  /** The work did not end in time; another try may succeed. */
  "took-too-long": { grpcCode: "unavailable", httpStatus: 503 },
  /** The client closed the connection. */
  "client-gone": { grpcCode: "cancelled", httpStatus: 499 },
  /** A service of the mesh answered something that must not be passed on (NaN, cells missing). */
  "bad-answer": { grpcCode: "internal", httpStatus: 500 },
  /** The settings do not allow to listen. */
  "unsafe-settings": { grpcCode: "failed_precondition", httpStatus: 500 },
} as const;

/** Tag of an {@link EdgeError}. */
export type EdgeErrorTag = keyof typeof table;

/** Every error that the edge itself makes; what the services behind it throw passes through. */
export class EdgeError extends Error {
  readonly tag: EdgeErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations: readonly { field: string; description: string }[];

  constructor(
    tag: EdgeErrorTag,
    message: string,
    options: { cause?: unknown; violations?: readonly { field: string; description: string }[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "EdgeError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
    this.violations = options.violations ?? [];
  }
}
