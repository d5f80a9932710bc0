import { Code, ConnectError } from "@connectrpc/connect";
import { isTaggedError, tagOf } from "@cytomesh/rpc";

/** Why an attempt failed, as the job's row keeps it. */
export interface Failure {
  readonly reason: string;
  readonly message: string;
  readonly retryable: boolean;
}

/** Thrown by a handler that knows how its failure should be reported. */
export class JobFailure extends Error {
  readonly tag: string;
  readonly grpcCode = "failed_precondition";
  readonly httpStatus = 400;
  readonly retryable: boolean;
  /** What there is of a result although the job failed. */
  readonly partialResult: unknown;

  constructor(
    tag: string,
    message: string,
    options: { retryable?: boolean; partialResult?: unknown; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "JobFailure";
    this.tag = tag;
    this.retryable = options.retryable ?? false;
    this.partialResult = options.partialResult;
  }
}

/** gRPC codes after which the same attempt may succeed later. Everything else would fail the same way again. */
const transientCodes = new Set([
  "unavailable",
  "aborted",
  "deadline_exceeded",
  "resource_exhausted",
  "internal",
  "unknown",
]);
const transientConnectCodes = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Internal,
  Code.Unknown,
]);

/** Node's error codes of a network or a machine that may recover. */
const transientSystemCodes = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "EMFILE",
  "ENFILE",
  "ENOMEM",
  "EAGAIN",
  "EBUSY",
  "EIO",
]);

/** Both say that there is no room; the second is a quota's. */
const diskFullCodes = new Set(["ENOSPC", "EDQUOT"]);

/**
 * `resource_exhausted` says two things: there is no room now (a full disk, a busy service), and what was asked for is too large and
 * always will be. The tags of the second kind end in `too-large`, its HTTP status is 413, and gRPC's own limit has words but no tag.
 */
function isTooLarge(tag: string | undefined, message: string, httpStatus?: number): boolean {
  if (httpStatus === 413) return true;
  if (tag !== undefined) return /(?:^|[-_])too[-_]large$/.test(tag);
  return /larger than (?:max|configured)/i.test(message);
}

/** Tell a passing failure from one that would repeat, and word it for a person. */
export function describeFailure(error: unknown): Failure {
  if (error instanceof JobFailure)
    return { reason: error.tag, message: error.message, retryable: error.retryable };
  if (error instanceof ConnectError) {
    const tag = tagOf(error);
    const tooLarge = error.code === Code.ResourceExhausted && isTooLarge(tag, error.rawMessage);
    return {
      reason: tag ?? (Code[error.code] ?? "unknown").replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase(),
      message: error.rawMessage,
      retryable: transientConnectCodes.has(error.code) && !tooLarge,
    };
  }
  if (isTaggedError(error)) {
    const tooLarge =
      error.grpcCode === "resource_exhausted" && isTooLarge(error.tag, error.message, error.httpStatus);
    const passes = transientCodes.has(error.grpcCode);
    return {
      reason: error.tag.replaceAll("_", "-"),
      message: error.message,
      // An error class may know better: a transfer that arrived damaged is data_loss, and may be repeated.
      retryable: (error as { retryable?: unknown }).retryable === true || (passes && !tooLarge),
    };
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    // A limit of time or a caller inside the process that gave up, not the job's own signal: that one is asked before.
    if (error.name === "TimeoutError" || error.name === "AbortError")
      return {
        reason: error.name === "TimeoutError" ? "timeout" : "aborted",
        message: error.message,
        retryable: true,
      };
    if (code !== undefined && diskFullCodes.has(code))
      return { reason: "disk-full", message: `the disk is full: ${error.message}`, retryable: true };
    return {
      reason: "internal",
      message: error.message === "" ? error.name : error.message,
      // A bug repeats, but so may a passing fault look; a few bounded attempts cost little.
      retryable: code === undefined || transientSystemCodes.has(code),
    };
  }
  return { reason: "internal", message: String(error), retryable: true };
}
