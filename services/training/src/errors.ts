/** The ways in which a training can be refused. */
const table = {
  "not-extracted": { grpcCode: "failed_precondition", httpStatus: 400 },
  "too-many-genes": { grpcCode: "invalid_argument", httpStatus: 400 },
  "no-variable-genes": { grpcCode: "failed_precondition", httpStatus: 400 },
  "model-exists": { grpcCode: "already_exists", httpStatus: 409 },
  "damaged-model": { grpcCode: "data_loss", httpStatus: 500 },
} as const;

/** Tag of a {@link TrainingError}. */
export type TrainingErrorTag = keyof typeof table;

/** Why a model was not trained or described. */
export class TrainingError extends Error {
  readonly tag: TrainingErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;

  constructor(tag: TrainingErrorTag, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "TrainingError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
