/** What can go wrong in this package, and how a service reports it. */
const TABLE = {
  invalid_argument: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Pixels that cannot be segmented: none, not finite, of one value where a range is needed, or labels that are none. */
  invalid_image: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A weights file that is damaged, of no known format, or not a StarDist 2D network. */
  invalid_model: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The bytes are not those whose SHA-256 was given. */
  checksum_mismatch: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** An object is larger than the overlap of two blocks, so no block can answer for it. */
  object_too_large: { grpcCode: "failed_precondition", httpStatus: 422 },
  too_large: { grpcCode: "resource_exhausted", httpStatus: 413 },
  runtime: { grpcCode: "internal", httpStatus: 500 },
  closed: { grpcCode: "failed_precondition", httpStatus: 500 },
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
} as const;

export type SegmentationErrorTag = keyof typeof TABLE;

export class SegmentationError extends Error {
  readonly tag: SegmentationErrorTag;
  readonly grpcCode: (typeof TABLE)[SegmentationErrorTag]["grpcCode"];
  readonly httpStatus: number;

  constructor(tag: SegmentationErrorTag, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "SegmentationError";
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
  }
}
