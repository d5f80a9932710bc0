import {
  create,
  type DescMessage,
  type DescMethodStreaming,
  type DescMethodUnary,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  type Client,
  Code,
  ConnectError,
  createClient,
  makeAnyClient,
  type StreamResponse,
  type Transport,
  type UnaryResponse,
} from "@connectrpc/connect";
import {
  type ClientUnaryCall,
  credentials,
  type CallOptions as GrpcCallOptions,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { currentCall } from "./context.ts";
import { fromGrpcError } from "./errors.ts";
import { requestIdHeader } from "./instrument.ts";
import { defaultUnaryTimeoutMs, maxMessageBytes, streamWindowBytes } from "./limits.ts";
import { clientSpan } from "./tracing.ts";
import { messagesOf, methodDefinition } from "./wire.ts";

/** A connection to one service of the mesh, shared by all its clients. */
export interface Channel {
  readonly target: string;
  readonly transport: Transport;
  /** Client of a service over this connection. */
  client<S extends DescService>(service: S): Client<S>;
  close(): void;
}

/** Options of {@link openChannel}. */
export interface ChannelOptions {
  /** Deadline of unary calls that name none, in ms. */
  readonly timeoutMs?: number;
  /** Headers of every call, for example authorization. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Tries of a unary call that finds the service unavailable, 1 to 5. */
  readonly maxAttempts?: number;
}

/**
 * Open a channel to `host:port`, `dns:///name:port` or `ipv4:a,b`. Calls are spread over all addresses (round robin), unavailable
 * services are tried again with back-off (once an answer has begun only calls without side effects are), and calls made while serving a call inherit its deadline, cancellation and request id.
 */
export function openChannel(target: string, options: ChannelOptions = {}): Channel {
  const attempts = Math.min(5, Math.max(1, options.maxAttempts ?? 5));
  const serviceConfig = {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: [
      {
        name: [{}],
        ...(attempts > 1
          ? {
              retryPolicy: {
                maxAttempts: attempts,
                initialBackoff: "0.1s",
                maxBackoff: "2s",
                backoffMultiplier: 2,
                retryableStatusCodes: ["UNAVAILABLE"],
              },
            }
          : {}),
      },
    ],
  };
  const grpc = new GrpcClient(target, credentials.createInsecure(), {
    "grpc.service_config": JSON.stringify(serviceConfig),
    "grpc.enable_retries": 1,
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": maxMessageBytes,
    "grpc-node.flow_control_window": streamWindowBytes,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
    "grpc.use_local_subchannel_pool": 1,
  });
  const transport = grpcTransport(
    grpc,
    options.timeoutMs ?? defaultUnaryTimeoutMs,
    options.headers ?? {},
    attempts,
  );
  return {
    target,
    transport,
    client: (service) => clientOver(service, transport),
    close: () => grpc.close(),
  };
}

/**
 * Connect's client, except that leaving a `for await` early cancels the call: Connect's own streams drop `return()`, and the service
 * would go on producing for nobody.
 */
function clientOver<S extends DescService>(service: S, transport: Transport): Client<S> {
  const plain = createClient(service, transport) as Record<string, unknown>;
  return makeAnyClient(service, (method) => {
    if (method.methodKind === "unary" || method.methodKind === "client_streaming")
      return plain[method.localName] as (...args: unknown[]) => unknown;
    const single = method.methodKind === "server_streaming";
    return async function* (input: unknown, options?: CallOptions) {
      const messages = single ? [input] : (input as AsyncIterable<unknown>);
      const response = await transport.stream(
        method,
        options?.signal,
        options?.timeoutMs,
        options?.headers,
        (async function* () {
          yield* messages;
        })() as AsyncIterable<never>,
        options?.contextValues,
      );
      options?.onHeader?.(response.header);
      yield* response.message;
      options?.onTrailer?.(response.trailer);
    };
  }) as Client<S>;
}

type HeaderInput = ConstructorParameters<typeof Headers>[0];

function grpcTransport(
  grpc: GrpcClient,
  defaultTimeoutMs: number,
  fixedHeaders: Readonly<Record<string, string>>,
  attempts: number,
): Transport {
  const withFixed = (header: HeaderInput | undefined): Headers => {
    const headers = new Headers(header);
    for (const [name, value] of Object.entries(fixedHeaders))
      if (!headers.has(name)) headers.set(name, value);
    return headers;
  };
  return {
    async unary<I extends DescMessage, O extends DescMessage>(
      method: DescMethodUnary<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeaderInput | undefined,
      input: MessageInitShape<I>,
    ): Promise<UnaryResponse<I, O>> {
      const definition = methodDefinition(method);
      const call = prepare(
        method.parent.typeName,
        method.name,
        signal,
        timeoutMs ?? defaultTimeoutMs,
        withFixed(header),
      );
      let started: ClientUnaryCall | undefined;
      call.onAbort(() => started?.cancel());
      const once = (left: number): Promise<UnaryResponse<I, O>> =>
        new Promise((resolve, reject) => {
          let begun = false;
          const responseHeader = new Headers();
          started = grpc.makeUnaryRequest(
            definition.path,
            definition.requestSerialize,
            definition.responseDeserialize,
            create(method.input, input),
            call.metadata,
            call.options,
            (error, message) => {
              const failure = error === null ? undefined : call.explain(error);
              // A service that dies between the head of its answer and the answer: gRPC's own retries end with the head.
              const lost = begun && failure?.code === Code.Unavailable && isRepeatable(method);
              if (lost && left > 1 && !call.aborted()) return resolve(once(left - 1));
              call.release();
              call.span.end(failure?.code ?? 0);
              if (failure !== undefined) return reject(failure);
              resolve({
                stream: false,
                service: method.parent,
                method,
                header: responseHeader,
                trailer: new Headers(),
                message: message as MessageShape<O>,
              });
            },
          );
          started.on("metadata", (metadata: Metadata) => {
            begun = true;
            copyInto(responseHeader, metadata);
          });
          if (call.aborted()) started.cancel();
        });
      return call.span.run(() => once(attempts));
    },

    async stream<I extends DescMessage, O extends DescMessage>(
      method: DescMethodStreaming<I, O>,
      signal: AbortSignal | undefined,
      timeoutMs: number | undefined,
      header: HeaderInput | undefined,
      input: AsyncIterable<MessageInitShape<I>>,
    ): Promise<StreamResponse<I, O>> {
      const definition = methodDefinition(method);
      const call = prepare(method.parent.typeName, method.name, signal, timeoutMs, withFixed(header));
      const responseHeader = new Headers();
      const started = grpc.makeBidiStreamRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        call.metadata,
        call.options,
      );
      started.on("metadata", (metadata: Metadata) => copyInto(responseHeader, metadata));
      call.onAbort(() => started.cancel());
      let inputFailure: unknown;
      const writing = (async () => {
        for await (const message of input) {
          if (started.destroyed || started.writableEnded) return;
          if (!started.write(create(method.input, message)))
            await new Promise<void>((resolve) => {
              const done = () => {
                started.off("drain", done);
                started.off("close", done);
                started.off("error", done);
                started.off("end", done);
                resolve();
              };
              for (const event of ["drain", "close", "error", "end"]) started.once(event, done);
            });
        }
        started.end();
      })().catch((reason) => {
        // The caller's own iterator failed: nothing more can be sent, and the reason must reach whoever reads the answers.
        inputFailure = reason;
        started.cancel();
      });
      // Errors reach the reader through the iterator; without a listener an early one would be an uncaught exception.
      started.on("error", () => undefined);
      const messages = async function* (): AsyncGenerator<MessageShape<O>> {
        let code: Code | 0 = 0;
        let complete = false;
        try {
          for await (const message of messagesOf(started)) yield message as MessageShape<O>;
          complete = true;
          await writing;
        } catch (reason) {
          complete = true;
          if (inputFailure !== undefined) throw inputFailure;
          const failure = call.explain(reason as ServiceError);
          code = failure.code;
          throw failure;
        } finally {
          if (!complete) started.cancel();
          call.release();
          call.span.end(code);
        }
      };
      return {
        stream: true,
        service: method.parent,
        method,
        header: responseHeader,
        trailer: new Headers(),
        message: messages(),
      };
    },
  };
}

/** Does the contract say that a second execution does no harm? */
function isRepeatable(method: DescMethodUnary): boolean {
  return method.idempotency === Idempotency.NO_SIDE_EFFECTS || method.idempotency === Idempotency.IDEMPOTENT;
}

function copyInto(headers: Headers, metadata: Metadata): void {
  for (const [key, value] of Object.entries(metadata.getMap()))
    if (typeof value === "string") headers.set(key, value);
}

/** Deadline, cancellation, headers and span of one outgoing call. */
function prepare(
  service: string,
  method: string,
  signal: AbortSignal | undefined,
  timeoutMs: number | undefined,
  headers: Headers,
) {
  const parent = currentCall();
  if (parent !== undefined && !headers.has(requestIdHeader)) headers.set(requestIdHeader, parent.requestId);
  const span = clientSpan(service, method, headers);
  const metadata = new Metadata();
  for (const [key, value] of headers) metadata.set(key, value);
  const own = timeoutMs === undefined || timeoutMs <= 0 ? undefined : Date.now() + timeoutMs;
  const deadline = Math.min(own ?? Number.POSITIVE_INFINITY, parent?.deadline ?? Number.POSITIVE_INFINITY);
  const signals = [signal, parent?.signal].filter((one) => one !== undefined);
  const listeners: (() => void)[] = [];
  const options: GrpcCallOptions = Number.isFinite(deadline) ? { deadline } : {};
  return {
    span,
    metadata,
    options,
    onAbort(cancel: () => void): void {
      for (const one of signals) {
        if (one.aborted) {
          cancel();
          return;
        }
        one.addEventListener("abort", cancel, { once: true });
        listeners.push(() => one.removeEventListener("abort", cancel));
      }
    },
    aborted: () => signals.some((one) => one.aborted),
    release: () => {
      for (const remove of listeners) remove();
    },
    explain(error: ServiceError): ConnectError {
      const aborted = signals.find((one) => one.aborted);
      if (aborted !== undefined && error.code === (Code.Canceled as number))
        return aborted.reason instanceof ConnectError
          ? aborted.reason
          : new ConnectError("cancelled", Code.Canceled, undefined, undefined, aborted.reason);
      const failure = fromGrpcError(error);
      // Nobody here cancelled: the service, or something on the way to it, dropped the call.
      if (failure.code === Code.Canceled && aborted === undefined)
        return new ConnectError(
          `the call was dropped: ${failure.rawMessage}`,
          Code.Unavailable,
          failure.metadata,
          undefined,
          error,
        );
      return failure;
    },
  };
}
