import { randomUUID } from "node:crypto";
import type { DescService } from "@bufbuild/protobuf";
import { Code, type ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import { type CallContext, iterateInCall, runInCall } from "./context.ts";
import { toConnectError } from "./errors.ts";
import type { Logger } from "./logging.ts";
import type { Metrics } from "./metrics.ts";
import { serverSpan } from "./tracing.ts";

/** Header that carries the request id from hop to hop. */
export const requestIdHeader = "x-request-id";

/** A service descriptor with the handlers that implement it. */
export interface ServiceBinding {
  readonly service: DescService;
  readonly impl: Record<string, (...args: never[]) => unknown>;
}

/** Pair a service with its implementation, checked. */
export function bindService<S extends DescService>(service: S, impl: ServiceImpl<S>): ServiceBinding {
  return { service, impl: impl as ServiceBinding["impl"] };
}

type AnyMethod = (request: unknown, context: HandlerContext) => unknown;

/** Codes that are the caller's business; everything else is logged as an error. */
const expected = new Set<Code>([
  Code.Canceled,
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Aborted,
  Code.OutOfRange,
  Code.Unauthenticated,
  Code.ResourceExhausted,
  Code.DeadlineExceeded,
]);

/**
 * Wrap every handler of a binding: request id, inherited deadline and cancellation, trace span, metrics, log line, and the one error
 * mapping. The wrapped handlers are what both the grpc-js server and the Connect edge serve.
 */
export function instrument(
  binding: ServiceBinding,
  tools: { logger: Logger; metrics: Metrics },
): ServiceBinding {
  const impl: Record<string, AnyMethod> = {};
  for (const method of binding.service.methods) {
    const handler = binding.impl[method.localName] as AnyMethod | undefined;
    if (handler === undefined) continue;
    const streamsOut = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
    impl[method.localName] = streamsOut
      ? (request, context) => serveStream(handler, request, context, tools)
      : (request, context) => serveUnary(handler, request, context, tools);
  }
  return { service: binding.service, impl: impl as ServiceBinding["impl"] };
}

function observe(context: HandlerContext, { logger, metrics }: { logger: Logger; metrics: Metrics }) {
  // It is sent on, sent back and logged with every line: a caller's own is taken up to a length.
  const requestId = context.requestHeader.get(requestIdHeader)?.slice(0, 128) ?? randomUUID();
  context.responseHeader.set(requestIdHeader, requestId);
  const remaining = context.timeoutMs();
  const call: CallContext = {
    requestId,
    deadline: remaining === undefined ? undefined : Date.now() + remaining,
    signal: context.signal,
  };
  const labels = { rpc_service: context.service.typeName, rpc_method: context.method.name };
  const span = serverSpan(labels.rpc_service, labels.rpc_method, context.requestHeader);
  const endTimer = metrics.rpcDuration.startTimer(labels);
  const began = performance.now();
  metrics.rpcInFlight.inc(labels);
  const end = (error?: ConnectError): void => {
    const code = error?.code ?? 0;
    metrics.rpcInFlight.dec(labels);
    endTimer({ rpc_code: code === 0 ? "ok" : (Code[code] ?? "Unknown") });
    span.end(code);
    runInCall(call, () => {
      const line = {
        rpc: `${labels.rpc_service}/${labels.rpc_method}`,
        ms: Math.round(performance.now() - began),
      };
      if (error === undefined) logger.debug(line, "served");
      else if (expected.has(error.code))
        logger.info({ ...line, code: Code[error.code], reason: error.rawMessage }, "refused");
      else logger.error({ ...line, code: Code[error.code], err: error.cause ?? error }, "failed");
    });
  };
  return { call, span, end, fail: (reason: unknown) => toConnectError(reason, requestId) };
}

async function serveUnary(
  handler: AnyMethod,
  request: unknown,
  context: HandlerContext,
  tools: { logger: Logger; metrics: Metrics },
): Promise<unknown> {
  const { call, span, end, fail } = observe(context, tools);
  try {
    const response = await span.run(() => runInCall(call, () => handler(request, context)));
    end();
    return response;
  } catch (reason) {
    const error = fail(reason);
    end(error);
    throw error;
  }
}

async function* serveStream(
  handler: AnyMethod,
  request: unknown,
  context: HandlerContext,
  tools: { logger: Logger; metrics: Metrics },
): AsyncGenerator<unknown> {
  const { call, span, end, fail } = observe(context, tools);
  let error: ConnectError | undefined;
  try {
    const responses = span.run(() =>
      runInCall(call, () => handler(request, context)),
    ) as AsyncIterable<unknown>;
    yield* iterateInCall(call, responses);
  } catch (reason) {
    error = fail(reason);
    throw error;
  } finally {
    end(error);
  }
}
