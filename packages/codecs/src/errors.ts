/** Every way this package fails; the message says which format and what is wrong. */
const table = {
  /** Bytes that contradict their format, fail a checksum or decode to more than the caller allows. */
  corrupt: { grpcCode: "data_loss", httpStatus: 422 },
  /** A version or an inner compressor of a container that is not implemented. */
  unsupported: { grpcCode: "unimplemented", httpStatus: 422 },
} as const;

/** What went wrong, for programs. */
export type CodecErrorTag = keyof typeof table;

/** What decoders throw for bytes that they cannot decode. */
export class CodecError extends Error {
  readonly tag: CodecErrorTag;
  readonly grpcCode: string;
  readonly httpStatus: number;
  constructor(tag: CodecErrorTag, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "CodecError";
    this.tag = tag;
    this.grpcCode = table[tag].grpcCode;
    this.httpStatus = table[tag].httpStatus;
  }
}

export function corrupt(message: string, cause?: unknown): CodecError {
  return new CodecError("corrupt", message, cause === undefined ? undefined : { cause });
}

/** A kernel's count of bytes, or what its negative result means. */
export function checked(result: number, format: string, failures: readonly string[] = []): number {
  if (result >= 0) return result;
  throw corrupt(`${format}: ${failures[-result - 1] ?? `contradicts itself (${result})`}`);
}
