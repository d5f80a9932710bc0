/** The ways in which an ingest can refuse a file. */
const table = {
  "invalid-file": { grpcCode: "invalid_argument", httpStatus: 400 },
  "bad-profile": { grpcCode: "invalid_argument", httpStatus: 400 },
  "bad-gene-list": { grpcCode: "invalid_argument", httpStatus: 400 },
  "files-failed": { grpcCode: "failed_precondition", httpStatus: 400 },
  "manifest-conflict": { grpcCode: "data_loss", httpStatus: 500 },
  "file-changed": { grpcCode: "aborted", httpStatus: 409 },
} as const;

/** Tag of an {@link IngestError}. */
export type IngestErrorTag = keyof typeof table;

/** Why a file was not ingested. `problems` lists everything found wrong, not just the first. */
export class IngestError extends Error {
  readonly tag: IngestErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly problems: readonly string[];

  constructor(
    tag: IngestErrorTag,
    message: string,
    options: { problems?: readonly string[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "IngestError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
    this.problems = options.problems ?? [];
  }
}
