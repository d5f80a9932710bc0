/** Why a vote cannot be held. */
export type VoteErrorTag = "invalid_parameter" | "shape_mismatch";

const TABLE: Record<VoteErrorTag, { grpcCode: string; httpStatus: number }> = {
  invalid_parameter: { grpcCode: "invalid_argument", httpStatus: 400 },
  shape_mismatch: { grpcCode: "internal", httpStatus: 500 },
};

/** The only error the voting strategies throw on purpose. */
export class VoteError extends Error {
  override readonly name = "VoteError";
  readonly tag: VoteErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;

  constructor(tag: VoteErrorTag, message: string) {
    super(message);
    this.tag = tag;
    this.grpcCode = TABLE[tag].grpcCode;
    this.httpStatus = TABLE[tag].httpStatus;
  }
}
