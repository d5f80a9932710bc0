/** The ways in which curricula and bins can be refused. */
const table = {
  "no-ingests": { grpcCode: "failed_precondition", httpStatus: 400 },
  "curriculum-exists": { grpcCode: "already_exists", httpStatus: 409 },
  "no-such-bin": { grpcCode: "invalid_argument", httpStatus: 400 },
  "no-shared-features": { grpcCode: "failed_precondition", httpStatus: 400 },
  "invalid-request": { grpcCode: "invalid_argument", httpStatus: 400 },
} as const;

/** Tag of an {@link ExtractError}. */
export type ExtractErrorTag = keyof typeof table;

/** Why a curriculum was not prepared or a bin not written. */
export class ExtractError extends Error {
  readonly tag: ExtractErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;

  constructor(tag: ExtractErrorTag, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = "ExtractError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}
