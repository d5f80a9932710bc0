import type { Readable, Writable } from "node:stream";
import { create, type DescMessage, type DescMethod, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createHandlerContext } from "@connectrpc/connect";
import {
  type Deadline,
  type Metadata,
  type MethodDefinition,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { toConnectError, toGrpcStatus } from "./errors.ts";
import type { ServiceBinding } from "./instrument.ts";
import { maxMessageBytes, streamWindowBytes } from "./limits.ts";
import { drained, headersOf, messagesOf, metadataOf, methodDefinition } from "./wire.ts";

/** A grpc-js server that carries protobuf-es messages. */
export interface GrpcServer {
  /** `host:port` that clients use. */
  readonly address: string;
  readonly port: number;
  /** Stop taking calls, wait up to `graceMs` for those under way, then drop them. */
  stop(graceMs?: number): Promise<void>;
}

/** Options of {@link startGrpcServer}. */
export interface GrpcServerOptions {
  readonly services: readonly ServiceBinding[];
  readonly host?: string;
  /** 0 takes a free port. */
  readonly port?: number;
  /** Connections are closed gracefully at this age so that clients re-resolve DNS and find new replicas. Default 5 min. */
  readonly maxConnectionAgeMs?: number;
}

/**
 * Serve bindings (see `instrument`) over gRPC.
 *
 * @throws ConnectError `unavailable` when the port cannot be bound.
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const host = options.host ?? "127.0.0.1";
  const server = new Server({
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc-node.flow_control_window": streamWindowBytes,
    "grpc.max_connection_age_ms": options.maxConnectionAgeMs ?? 300_000,
    "grpc.max_connection_age_grace_ms": 60_000,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
  });
  const shutdown = new AbortController();
  for (const binding of options.services) {
    const definitions: Record<string, MethodDefinition<unknown, unknown>> = {};
    const handlers: Record<string, UntypedHandleCall> = {};
    for (const method of binding.service.methods) {
      if (binding.impl[method.localName] === undefined) continue;
      definitions[method.name] = methodDefinition(method);
      handlers[method.name] = handleCall(binding, method, shutdown.signal);
    }
    server.addService(definitions, handlers);
  }
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`${host}:${options.port ?? 0}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null
        ? resolve(bound)
        : reject(
            new ConnectError(`cannot listen on ${host}:${options.port}: ${error.message}`, Code.Unavailable),
          ),
    ),
  );
  return {
    port,
    address: `${host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host}:${port}`,
    async stop(graceMs = 10_000) {
      const drained = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
      if (await settlesWithin(drained, graceMs)) return;
      // What is left is answered UNAVAILABLE, so that callers try elsewhere; a connection cut without a word reads as CANCELLED.
      shutdown.abort(new ConnectError("the service is stopping", Code.Unavailable));
      await settlesWithin(drained, lastWordsMs);
      server.forceShutdown();
    },
  };
}

/** How long the last answers may take to leave when the grace period is over, in ms. */
const lastWordsMs = 500;

async function settlesWithin(work: Promise<void>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

interface ServerCall {
  readonly metadata: Metadata;
  readonly request?: unknown;
  readonly cancelled: boolean;
  getDeadline(): Deadline;
  sendMetadata(metadata: Metadata): void;
  on(event: "cancelled", listener: () => void): unknown;
}

/** Node's timers fire at once when they are set to more than 2^31 - 1 ms. */
const longestTimerMs = 2 ** 31 - 1;

function remainingMs(deadline: Deadline): number | undefined {
  const at = deadline instanceof Date ? deadline.getTime() : deadline;
  return Number.isFinite(at) ? Math.min(longestTimerMs, Math.max(0, at - Date.now())) : undefined;
}

type Respond = (error: object | null, message?: unknown, trailer?: Metadata) => void;

function handleCall(
  binding: ServiceBinding,
  method: DescMethod,
  shutdownSignal: AbortSignal,
): UntypedHandleCall {
  const implementation = binding.impl[method.localName] as unknown as (
    request: unknown,
    context: ReturnType<typeof createHandlerContext>,
  ) => unknown;
  const output = method.output;
  const streamsIn = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";

  const contextOf = (call: ServerCall) => {
    const timeoutMs = remainingMs(call.getDeadline());
    const context = createHandlerContext({
      service: binding.service,
      method,
      protocolName: "grpc",
      requestMethod: "POST",
      url: `http://mesh/${binding.service.typeName}/${method.name}`,
      requestHeader: headersOf(call.metadata),
      shutdownSignal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    call.on("cancelled", () => context.abort(new ConnectError("the caller cancelled", Code.Canceled)));
    return context;
  };

  const statusOf = (reason: unknown) => {
    try {
      return toGrpcStatus(toConnectError(reason));
    } catch {
      return { code: Code.Internal as number, details: "internal error; the log has the details" };
    }
  };

  if (method.methodKind === "unary" || method.methodKind === "client_streaming") {
    return ((call: ServerCall, respond: Respond) => {
      const context = contextOf(call);
      const request = streamsIn ? messagesOf(call as unknown as Readable) : call.request;
      const stopped = stoppedBy(shutdownSignal);
      Promise.race([Promise.resolve().then(() => implementation(request, context)), stopped.promise])
        .then((response) => {
          const message = create(output, response as MessageInitShape<DescMessage>);
          const trailer = metadataOf(context.responseTrailer);
          call.sendMetadata(metadataOf(context.responseHeader));
          respond(null, message, trailer);
        })
        .catch((reason) => respond(statusOf(reason)))
        .finally(() => {
          stopped.release();
          context.abort();
        });
    }) as UntypedHandleCall;
  }
  return ((call: ServerCall & Writable & { end(metadata?: Metadata): void }) => {
    const context = contextOf(call);
    const request = streamsIn ? messagesOf(call as unknown as Readable) : call.request;
    const stopped = stoppedBy(shutdownSignal);
    const pumped = pump(
      call,
      context,
      () => implementation(request, context) as AsyncIterable<object>,
      output,
    );
    Promise.race([pumped, stopped.promise])
      // grpc-js sends the status of an emitted error after what was written; destroying the stream would lose both.
      .catch((reason) => call.emit("error", statusOf(reason)))
      .finally(() => {
        stopped.release();
        context.abort();
      });
  }) as UntypedHandleCall;
}

/** A promise that rejects when the server stops for good, for handlers that do not listen to their signal. */
function stoppedBy(signal: AbortSignal): { promise: Promise<never>; release(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => undefined);
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  return { promise, release: () => signal.removeEventListener("abort", onAbort) };
}

async function pump(
  call: ServerCall & Writable & { end(metadata?: Metadata): void },
  context: ReturnType<typeof createHandlerContext>,
  open: () => AsyncIterable<object>,
  output: DescMessage,
): Promise<void> {
  let headersSent = false;
  const sendHeaders = () => {
    if (!headersSent) call.sendMetadata(metadataOf(context.responseHeader));
    headersSent = true;
  };
  for await (const message of open()) {
    if (call.cancelled) return;
    // Answered already: the server stops, or the deadline has passed.
    context.signal.throwIfAborted();
    sendHeaders();
    if (!call.write(create(output, message as MessageInitShape<DescMessage>)))
      await drained(call, context.signal);
  }
  sendHeaders();
  call.end(metadataOf(context.responseTrailer));
}
