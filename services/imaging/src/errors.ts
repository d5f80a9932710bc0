/** The ways in which a field, a file or a table can be refused. */
const table = {
  "unsupported-pixels": { grpcCode: "invalid_argument", httpStatus: 400 },
  "too-large": { grpcCode: "invalid_argument", httpStatus: 400 },
  "no-such-channel": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Files of one field that are of different sizes or types, or hold more than one channel. */
  "channels-differ": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A field of several files lacks that of a channel or plane. */
  "incomplete-field": { grpcCode: "not_found", httpStatus: 404 },
  /** Two files are the same channel of a field. */
  "ambiguous-field": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Axes that a recipe cannot work with: other channels, planes or time points than it expects. */
  "wrong-axes": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A side of the field is shorter than what the recipe's segmentation works on. */
  "too-small": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** Every pixel of the nucleus channel has one value: there is nothing to normalise by. */
  "constant-image": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A nucleus of the field has no pixel left after resizing. */
  "label-vanished": { grpcCode: "invalid_argument", httpStatus: 400 },
  "labels-differ": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A size in µm was asked for and neither the file nor the request gives the pixel size. */
  "no-pixel-size": { grpcCode: "invalid_argument", httpStatus: 400 },
  "bad-options": { grpcCode: "invalid_argument", httpStatus: 400 },
  "bad-listing": { grpcCode: "invalid_argument", httpStatus: 400 },
  "nothing-found": { grpcCode: "not_found", httpStatus: 404 },
  "name-collision": { grpcCode: "invalid_argument", httpStatus: 400 },
  "bad-table": { grpcCode: "invalid_argument", httpStatus: 400 },
  "wrong-model": { grpcCode: "failed_precondition", httpStatus: 409 },
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
