/** The ways in which an analysis can be refused. */
const table = {
  "unknown-task": { grpcCode: "invalid_argument", httpStatus: 400 },
  "invalid-parameters": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A gene, column, cell set or embedding that the file does not have; close names are in the violations. */
  "unknown-name": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The answer would have more values than one task gives; not retried, as it would be as large again. */
  "too-many-values": { grpcCode: "invalid_argument", httpStatus: 400 },
  /** The file lacks what the task needs. */
  "unfit-file": { grpcCode: "failed_precondition", httpStatus: 400 },
  "file-changed": { grpcCode: "aborted", httpStatus: 409 },
  /** Too large for a message; a job can give it. */
  "result-too-large": { grpcCode: "resource_exhausted", httpStatus: 413 },
} as const;

/** Tag of an {@link AnalysisError}. */
export type AnalysisErrorTag = keyof typeof table;

/** One wrong field of a request. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** Why an analysis was not done. `violations` lists every wrong field, not just the first. */
export class AnalysisError extends Error {
  readonly tag: AnalysisErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations: readonly Violation[];

  constructor(
    tag: AnalysisErrorTag,
    message: string,
    options: { violations?: readonly Violation[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "AnalysisError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
    this.violations = options.violations ?? [];
  }
}

/** An error over several wrong fields, saying all of them. */
export function refuse(tag: AnalysisErrorTag, violations: readonly Violation[]): AnalysisError {
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join("; ");
  return new AnalysisError(tag, message, { violations });
}
