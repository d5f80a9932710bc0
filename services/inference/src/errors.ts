/** The ways in which inference can be refused. */
const table = {
  "header-expected": { grpcCode: "invalid_argument", httpStatus: 400 },
  "rows-expected": { grpcCode: "invalid_argument", httpStatus: 400 },
  "invalid-header": { grpcCode: "invalid_argument", httpStatus: 400 },
  "invalid-rows": { grpcCode: "invalid_argument", httpStatus: 400 },
  "too-many-rows": { grpcCode: "invalid_argument", httpStatus: 400 },
  "unknown-filter": { grpcCode: "invalid_argument", httpStatus: 400 },
  "unknown-column": { grpcCode: "invalid_argument", httpStatus: 400 },
  "too-many-categories": { grpcCode: "invalid_argument", httpStatus: 400 },
  "no-shared-genes": { grpcCode: "failed_precondition", httpStatus: 400 },
  "no-default-model": { grpcCode: "not_found", httpStatus: 404 },
  "no-index": { grpcCode: "not_found", httpStatus: 404 },
  "no-labels": { grpcCode: "failed_precondition", httpStatus: 400 },
  "no-ontology": { grpcCode: "failed_precondition", httpStatus: 400 },
  "not-extracted": { grpcCode: "failed_precondition", httpStatus: 400 },
  "schema-mismatch": { grpcCode: "failed_precondition", httpStatus: 400 },
  "curriculum-changed": { grpcCode: "failed_precondition", httpStatus: 400 },
  "embedding-exists": { grpcCode: "already_exists", httpStatus: 409 },
  "index-exists": { grpcCode: "already_exists", httpStatus: 409 },
  "model-without-genes": { grpcCode: "failed_precondition", httpStatus: 400 },
  "no-direction": { grpcCode: "invalid_argument", httpStatus: 400 },
  "damaged-file": { grpcCode: "data_loss", httpStatus: 500 },
} as const;

/** Tag of an {@link InferenceError}. */
export type InferenceErrorTag = keyof typeof table;

/** One thing wrong with a request, by the field that it is in. */
export interface Violation {
  field: string;
  description: string;
}

/** Why cells were not embedded, searched or annotated, or an index not built. `violations` lists everything found wrong. */
export class InferenceError extends Error {
  readonly tag: InferenceErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations: Violation[];

  constructor(
    tag: InferenceErrorTag,
    message: string,
    options: { violations?: Violation[]; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "InferenceError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
    this.violations = options.violations ?? [];
  }
}
