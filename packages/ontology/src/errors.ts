/** What went wrong while reading, building or compiling an ontology. */
export type OntologyErrorTag =
  | "syntax"
  | "missing_key"
  | "invalid_value"
  | "dangling_id"
  | "duplicate_id"
  | "cycle"
  | "unknown_root"
  | "invalid_resource"
  | "too_large";

const TABLE: Record<OntologyErrorTag, { grpcCode: string; httpStatus: number }> = {
  syntax: { grpcCode: "invalid_argument", httpStatus: 400 },
  missing_key: { grpcCode: "invalid_argument", httpStatus: 400 },
  invalid_value: { grpcCode: "invalid_argument", httpStatus: 400 },
  dangling_id: { grpcCode: "invalid_argument", httpStatus: 400 },
  duplicate_id: { grpcCode: "invalid_argument", httpStatus: 400 },
  cycle: { grpcCode: "invalid_argument", httpStatus: 400 },
  unknown_root: { grpcCode: "invalid_argument", httpStatus: 400 },
  invalid_resource: { grpcCode: "invalid_argument", httpStatus: 400 },
  too_large: { grpcCode: "resource_exhausted", httpStatus: 413 },
};

/** One thing wrong with a resource: `tag` says which rule, `message` where. */
export interface OntologyProblem {
  readonly tag: OntologyErrorTag;
  readonly message: string;
}

/** The only error class this package throws on purpose. */
export class OntologyError extends Error {
  override readonly name = "OntologyError";
  readonly tag: OntologyErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  /** Every broken rule, when more than one was looked for; capped, see {@link MAX_PROBLEMS}. */
  readonly problems: readonly OntologyProblem[];

  constructor(
    tag: OntologyErrorTag,
    message: string,
    options: { cause?: unknown; problems?: readonly OntologyProblem[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
    this.problems = options.problems ?? [{ tag, message }];
  }
}

/** Problems kept in one error: enough to act on, small enough for a log line or a response body. */
export const MAX_PROBLEMS = 50;
