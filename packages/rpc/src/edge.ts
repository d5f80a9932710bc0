import type { DescMethodStreaming, DescMethodUnary, DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Channel } from "./grpc-client.ts";
import type { ServiceBinding } from "./instrument.ts";
import { maxMessageBytes } from "./limits.ts";

/** A request listener for `node:http` and `node:http2`. */
export type NodeHandler = ReturnType<typeof connectNodeAdapter>;

/**
 * Serve bindings (see `instrument`) as Connect, gRPC-Web and gRPC from one listener. Responses are not compressed: gzip costs more
 * than the wire inside a data centre, and brotli at its default quality would be a lever for denial of service.
 */
export function createEdgeHandler(options: {
  services: readonly ServiceBinding[];
  fallback?: NodeHandler;
  shutdownSignal?: AbortSignal;
}): NodeHandler {
  return connectNodeAdapter({
    routes: (router: ConnectRouter) => {
      for (const { service, impl } of options.services)
        router.service(service, impl as unknown as Partial<ServiceImpl<DescService>>);
    },
    acceptCompression: [],
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
    ...(options.fallback === undefined ? {} : { fallback: options.fallback }),
    ...(options.shutdownSignal === undefined ? {} : { shutdownSignal: options.shutdownSignal }),
  });
}

/** Handlers that pass every call of a service on to another service of the mesh, headers, deadline and cancellation included. */
export function forwardService<S extends DescService>(service: S, channel: Channel): ServiceBinding {
  const impl: Record<string, (request: unknown, context: HandlerContext) => unknown> = {};
  for (const method of service.methods) {
    if (method.methodKind === "unary") {
      const unary = method as DescMethodUnary;
      impl[method.localName] = async (request, context) => {
        const { transport } = channel;
        const response = await transport.unary(
          unary,
          context.signal,
          context.timeoutMs(),
          passedOn(context),
          request as never,
        );
        return response.message;
      };
      continue;
    }
    const streaming = method as DescMethodStreaming;
    const streamsIn = method.methodKind !== "server_streaming";
    const open = async (request: unknown, context: HandlerContext) => {
      const input = streamsIn ? (request as AsyncIterable<never>) : once(request as never);
      return channel.transport.stream(
        streaming,
        context.signal,
        context.timeoutMs(),
        passedOn(context),
        input,
      );
    };
    impl[method.localName] =
      method.methodKind === "client_streaming"
        ? async (request, context) => {
            for await (const message of (await open(request, context)).message) return message;
            throw new Error(`${service.typeName}/${method.name} ended without a response`);
          }
        : async function* (request, context) {
            yield* (await open(request, context)).message;
          };
  }
  return { service, impl: impl as ServiceBinding["impl"] };
}

/** Headers that a forwarded call keeps: ours, tracing, and who calls. */
const forwardedHeaders = ["x-request-id", "traceparent", "tracestate", "authorization"];

function passedOn(context: HandlerContext): Headers {
  const headers = new Headers();
  for (const name of forwardedHeaders) {
    const value = context.requestHeader.get(name);
    if (value !== null) headers.set(name, value);
  }
  return headers;
}

async function* once<T>(value: T): AsyncGenerator<T> {
  yield value;
}
