/** What can go wrong in this package, and how a service reports it. */
const TABLE = {
  invalid_argument: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** A sparse block that is not a valid CSR matrix of finite counts. */
  invalid_rows: { grpcCode: "invalid_argument", httpStatus: 400 },
  /** More components, genes or rows were asked for than the data holds. */
  too_many_components: { grpcCode: "failed_precondition", httpStatus: 400 },
  not_enough_rows: { grpcCode: "failed_precondition", httpStatus: 400 },
  too_large: { grpcCode: "resource_exhausted", httpStatus: 413 },
  corrupt_checkpoint: { grpcCode: "data_loss", httpStatus: 500 },
  invalid_model: { grpcCode: "data_loss", httpStatus: 500 },
  not_converged: { grpcCode: "internal", httpStatus: 500 },
  runtime: { grpcCode: "internal", httpStatus: 500 },
  closed: { grpcCode: "failed_precondition", httpStatus: 500 },
  cancelled: { grpcCode: "cancelled", httpStatus: 499 },
} as const;

export type KernelErrorTag = keyof typeof TABLE;

export interface KernelErrorFields {
  readonly cause?: unknown;
  /** Row the fault was found in, counted from 0 within the block. */
  readonly row?: number;
  readonly column?: number;
  /** With `too_many_components`: the largest number that would have worked. */
  readonly maxComponents?: number;
}

export class KernelError extends Error {
  readonly tag: KernelErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly row: number | undefined;
  readonly column: number | undefined;
  readonly maxComponents: number | undefined;

  constructor(tag: KernelErrorTag, message: string, fields: KernelErrorFields = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.name = "KernelError";
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
    this.row = fields.row;
    this.column = fields.column;
    this.maxComponents = fields.maxComponents;
  }
}

/** Throws a `cancelled` error when the signal has fired; its reason becomes the cause. */
export function throwIfCancelled(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw new KernelError("cancelled", `${what} was cancelled`, { cause: signal.reason });
}
