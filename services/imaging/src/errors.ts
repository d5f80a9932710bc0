/** The ways in which a field can be refused. */
const table = {
  "unreadable-image": { grpcCode: "invalid_argument", httpStatus: 400 },
  "unsupported-pixels": { grpcCode: "invalid_argument", httpStatus: 400 },
  "too-large": { grpcCode: "invalid_argument", httpStatus: 400 },
  "no-such-channel": { grpcCode: "invalid_argument", httpStatus: 400 },
  "pages-differ": { grpcCode: "invalid_argument", httpStatus: 400 },
  "output-conflict": { grpcCode: "already_exists", httpStatus: 409 },
  "damaged-output": { grpcCode: "data_loss", httpStatus: 500 },
  "file-changed": { grpcCode: "aborted", httpStatus: 409 },
} as const;

/** Tag of an {@link ImagingError}. */
export type ImagingErrorTag = keyof typeof table;

/** Why a field was not read or converted. */
export class ImagingError extends Error {
  readonly tag: ImagingErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;

  constructor(tag: ImagingErrorTag, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "ImagingError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
