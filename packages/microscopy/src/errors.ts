/** Every way this package fails; the message says what was expected, what was found and where. */
const table = {
  /** No file or object has that name. */
  "not-found": { grpcCode: "not_found", httpStatus: 404 },
  /** The process may not read it. */
  "permission-denied": { grpcCode: "permission_denied", httpStatus: 403 },
  /** Not an image of a kind that this package reads. */
  "not-an-image": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Damaged structure, or data that cannot be decoded. */
  corrupt: { grpcCode: "data_loss", httpStatus: 422 },
  /** The file ends before what it declares. */
  truncated: { grpcCode: "data_loss", httpStatus: 422 },
  /** A compression, pixel type or layout that is not implemented; named in the message. */
  unsupported: { grpcCode: "unimplemented", httpStatus: 422 },
  /** More pixels, pages, tags or XML than the limits allow. */
  "too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
  /** OME-XML that is not well formed, too deep, or says what cannot be. */
  "invalid-metadata": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** The metadata promise a plane that no file has. */
  "missing-plane": { grpcCode: "not_found", httpStatus: 422 },
  /** A file of a multi-file image is not there. */
  "missing-file": { grpcCode: "not_found", httpStatus: 422 },
  /** A file of a multi-file image lies outside the folder of the image. */
  "refused-reference": { grpcCode: "invalid_argument", httpStatus: 422 },
  /** A request outside the image, or an argument that makes no sense. */
  "invalid-argument": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Used after it was disposed of. */
  closed: { grpcCode: "failed_precondition", httpStatus: 409 },
  /** The disk refused to read; see `cause`. */
  "read-failed": { grpcCode: "internal", httpStatus: 500 },
} as const;

export type MicroscopyErrorTag = keyof typeof table;

export class MicroscopyError extends Error {
  readonly tag: MicroscopyErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: MicroscopyErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "MicroscopyError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
