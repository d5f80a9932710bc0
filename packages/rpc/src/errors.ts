import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from "@cytomesh/contracts/google/rpc/error_details";
import { type Status, StatusSchema } from "@cytomesh/contracts/google/rpc/status";
import { Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";

/** Domain of every `google.rpc.ErrorInfo` that the mesh sends. */
export const errorDomain = "cytomesh";

/** What every error class of the mesh carries; the mapping to gRPC and HTTP goes by these fields, not by class. */
export interface TaggedError extends Error {
  readonly tag: string;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations?: readonly { field: string; description: string }[];
  readonly retryAfterMs?: number;
}

const codeByName: Readonly<Record<string, Code>> = {
  cancelled: Code.Canceled,
  unknown: Code.Unknown,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  aborted: Code.Aborted,
  out_of_range: Code.OutOfRange,
  unimplemented: Code.Unimplemented,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  unauthenticated: Code.Unauthenticated,
};

const httpByCode: Readonly<Record<number, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

/** True for errors that follow the mesh's error convention. */
export function isTaggedError(value: unknown): value is TaggedError {
  return (
    value instanceof Error &&
    typeof (value as Partial<TaggedError>).tag === "string" &&
    typeof (value as Partial<TaggedError>).grpcCode === "string"
  );
}

/**
 * Any thrown value as the one error type that handlers and clients exchange. Tagged errors keep code, tag and violations as
 * `google.rpc` details. The message of an untagged error is an internal matter: it goes to the log, not to the caller.
 */
export function toConnectError(reason: unknown, requestId?: string): ConnectError {
  if (reason instanceof ConnectError) return withRequestInfo(ofSendableLength(reason), requestId);
  if (isTaggedError(reason)) {
    const error = new ConnectError(
      cut(reason.message, messageBytes),
      codeByName[reason.grpcCode] ?? Code.Unknown,
      undefined,
      undefined,
      reason,
    );
    error.details.push({
      desc: ErrorInfoSchema,
      value: { reason: reason.tag.replaceAll("-", "_").toUpperCase(), domain: errorDomain, metadata: {} },
    });
    if (reason.violations?.length)
      error.details.push({ desc: BadRequestSchema, value: { fieldViolations: firstOf(reason.violations) } });
    if (reason.retryAfterMs !== undefined)
      error.details.push({
        desc: RetryInfoSchema,
        value: {
          retryDelay: {
            seconds: BigInt(Math.floor(reason.retryAfterMs / 1000)),
            nanos: Math.floor(reason.retryAfterMs % 1000) * 1_000_000,
          },
        },
      });
    return withRequestInfo(error, requestId);
  }
  if (reason instanceof Error && (reason.name === "AbortError" || reason.name === "TimeoutError")) {
    const code = reason.name === "AbortError" ? Code.Canceled : Code.DeadlineExceeded;
    return withRequestInfo(new ConnectError(reason.message, code, undefined, undefined, reason), requestId);
  }
  return withRequestInfo(
    new ConnectError("internal error; the log has the details", Code.Internal, undefined, undefined, reason),
    requestId,
  );
}

/**
 * Errors travel in HTTP/2 trailers, where the message stands twice (plain and as base64 within its details). gRPC clients refuse more
 * than 8 to 16 KiB of them, and all that is left of the error then is that there was one.
 */
const messageBytes = 2_048;
const violationsBytes = 2_048;

function cut(text: string, maxBytes: number): string {
  // Percent-encoding makes three of every byte outside of ASCII.
  const limit = /[^ -~]/.test(text) ? maxBytes / 2 : maxBytes;
  const bytes = new TextEncoder().encode(text.slice(0, limit + 1));
  if (bytes.length <= limit) return text;
  return `${new TextDecoder().decode(bytes.subarray(0, limit - 3)).replace(/\ufffd$/, "")}…`;
}

function ofSendableLength(error: ConnectError): ConnectError {
  const message = cut(error.rawMessage, messageBytes);
  if (message === error.rawMessage) return error;
  const shorter = new ConnectError(message, error.code, error.metadata, undefined, error.cause);
  shorter.details = error.details;
  return shorter;
}

/** As many violations as can be sent, and how many there are besides. */
function firstOf(violations: readonly { field: string; description: string }[]) {
  const sent: { field: string; description: string }[] = [];
  let left = violationsBytes;
  for (const { field, description } of violations) {
    const one = { field: cut(field, 256), description: cut(description, 512) };
    left -= one.field.length + one.description.length + 8;
    if (left < 0) break;
    sent.push(one);
  }
  const more = violations.length - sent.length;
  return more === 0 ? sent : [...sent, { field: "", description: `and ${more} more` }];
}

function withRequestInfo(error: ConnectError, requestId: string | undefined): ConnectError {
  if (requestId === undefined) return error;
  const present = error.details.some((detail) =>
    "desc" in detail ? detail.desc === RequestInfoSchema : detail.type === RequestInfoSchema.typeName,
  );
  if (!present) error.details.push({ desc: RequestInfoSchema, value: { requestId } });
  return error;
}

/** HTTP status of a Connect code. */
export function httpStatusOf(error: ConnectError): number {
  return httpByCode[error.code] ?? 500;
}

/** The error's tag, from its `ErrorInfo`, in lower kebab case; undefined for errors of others. */
export function tagOf(error: ConnectError): string | undefined {
  const info = error.findDetails(ErrorInfoSchema)[0];
  return info?.domain === errorDomain ? info.reason.toLowerCase().replaceAll("_", "-") : undefined;
}

/** Whether another try of the same call may succeed. */
export function isTransient(error: ConnectError): boolean {
  return (
    error.code === Code.Unavailable || error.code === Code.Aborted || error.code === Code.DeadlineExceeded
  );
}

/** A Connect error as the status that grpc-js sends. */
export function toGrpcStatus(error: ConnectError): Partial<StatusObject> {
  const metadata = new Metadata();
  for (const [key, value] of error.metadata) if (!key.endsWith("-bin")) metadata.set(key, value);
  if (error.details.length > 0) {
    const status = create(StatusSchema, {
      code: error.code,
      message: error.rawMessage,
      details: error.details.map((detail) =>
        "desc" in detail
          ? anyPack(detail.desc, create(detail.desc, detail.value))
          : { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value },
      ),
    });
    metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  }
  return { code: error.code as number, details: error.rawMessage, metadata };
}

/** The error that grpc-js gave a client, with its details. */
export function fromGrpcError(reason: ServiceError): ConnectError {
  const header = new Headers();
  for (const [key, value] of Object.entries(reason.metadata?.getMap() ?? {}))
    if (typeof value === "string") header.set(key, value);
  let error = new ConnectError(
    reason.details || reason.message,
    (reason.code as number) in Code ? (reason.code as number) : Code.Unknown,
    header,
    undefined,
    reason,
  );
  const packed = reason.metadata?.get("grpc-status-details-bin")[0];
  if (packed instanceof Uint8Array) {
    try {
      const status: Status = fromBinary(StatusSchema, packed);
      // grpc-js decodes only part of the percent-encoding of the message; here it is whole.
      if (status.message !== "") error = withMessage(error, status.message);
      error.details = status.details.map((detail) => ({
        type: detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1),
        value: detail.value,
      }));
    } catch {
      // A peer of another make sent something else there; code and message are enough.
    }
  }
  return error;
}

function withMessage(error: ConnectError, message: string): ConnectError {
  return new ConnectError(message, error.code, error.metadata, undefined, error.cause);
}
