import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema } from "@cytomesh/contracts/google/rpc/error_details";
import { httpStatusOf, isTaggedError, isTransient, tagOf } from "@cytomesh/rpc";

/** Any thrown value, as an HTTP answer says it. */
export interface Failure {
  readonly status: number;
  /** Lower kebab case, stable. */
  readonly tag: string;
  /** For the caller. */
  readonly detail: string;
  readonly violations: readonly { field: string; description: string }[];
  /** Another try of the same request may succeed. */
  readonly transient: boolean;
  /** The text of the cause must not leave: it goes to the log. */
  readonly internal: boolean;
}

const internal: Failure = {
  status: 500,
  tag: "internal",
  detail: "internal error; the log has the details under this trace id",
  violations: [],
  transient: false,
  internal: true,
};

/** Codes whose texts concern operators, not callers. */
const internalCodes = new Set<Code>([Code.Internal, Code.Unknown, Code.DataLoss, Code.Unauthenticated]);

function ofConnect(error: ConnectError): Failure {
  // A service that refuses our own credentials is a fault of the mesh, whatever the caller presented.
  if (internalCodes.has(error.code)) return internal;
  const transient = isTransient(error) || error.code === Code.ResourceExhausted;
  return {
    status: transient && error.code !== Code.ResourceExhausted ? 503 : httpStatusOf(error),
    tag: tagOf(error) ?? (Code[error.code] ?? "unknown").replace(/(?<!^)([A-Z])/g, "-$1").toLowerCase(),
    detail: error.rawMessage,
    violations: (error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? []).map(
      ({ field, description }) => ({
        field,
        description,
      }),
    ),
    transient,
    internal: false,
  };
}

/** Read any thrown value. */
export function failureOf(reason: unknown): Failure {
  if (reason instanceof ConnectError) return ofConnect(reason);
  if (isTaggedError(reason)) {
    const { grpcCode, httpStatus: status, tag } = reason;
    if (grpcCode === "internal" && tag !== "bad-answer") return internal;
    const violations = reason.violations ?? [];
    const transient = grpcCode === "unavailable" || grpcCode === "aborted";
    return {
      status,
      tag,
      detail: reason.message,
      violations,
      transient,
      internal: status >= 500 && !transient,
    };
  }
  // Fastify's own refusals: malformed JSON, wrong media type, body too large.
  const { statusCode, code, message } = (reason ?? {}) as {
    statusCode?: number;
    code?: string;
    message?: string;
  };
  if (reason instanceof Error && statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    const tag = (code ?? "bad-request")
      .replace(/^FST_(ERR_)?(CTP_)?/, "")
      .replaceAll("_", "-")
      .toLowerCase();
    return {
      status: statusCode,
      tag,
      detail: message ?? "",
      violations: [],
      transient: false,
      internal: false,
    };
  }
  return internal;
}

/** Seconds after which a transient failure is worth another try; CAS clients wait at least 5. */
export const retryAfterSeconds = 5;

/** An error of the own API, as RFC 9457 has it. */
export function problemOf(failure: Failure, traceId: string): Record<string, unknown> {
  return {
    type: `urn:cytomesh:problem:${failure.tag}`,
    title: failure.tag.replaceAll("-", " "),
    status: failure.status,
    detail: failure.detail,
    tag: failure.tag,
    ...(failure.violations.length === 0 ? {} : { violations: failure.violations }),
    traceId,
  };
}

/**
 * An error as CAS servers put it: `{"detail": …}`, a list for forms and bodies that miss something (422). Clients try again on 5xx
 * only, and drop a chunk on anything else: what may pass is 503, and what the caller did is 4xx.
 */
export function casErrorOf(failure: Failure): { status: number; body: { detail: unknown } } {
  if (failure.transient) return { status: 503, body: { detail: failure.detail } };
  if (failure.internal) return { status: 500, body: { detail: "Error processing request" } };
  const { status } = failure;
  if (status === 422 && failure.tag === "bad-form") {
    const detail = failure.violations.map(({ field, description }) => ({
      type: description === "Field required" ? "missing" : "value_error",
      loc: ["body", field],
      msg: description,
    }));
    return { status, body: { detail: detail.length > 0 ? detail : failure.detail } };
  }
  const kept = [401, 403, 404, 413, 415, 429].includes(status);
  return { status: kept ? status : 400, body: { detail: failure.detail } };
}
