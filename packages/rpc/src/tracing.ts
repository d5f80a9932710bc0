import { Code } from "@connectrpc/connect";
import { context, propagation, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("cytomesh");

const headerGetter = {
  keys: (carrier: Headers) => [...carrier.keys()],
  get: (carrier: Headers, key: string) => carrier.get(key) ?? undefined,
};
const headerSetter = { set: (carrier: Headers, key: string, value: string) => carrier.set(key, value) };

/** A span around one RPC. Costs next to nothing unless an OpenTelemetry SDK is registered in the process. */
export interface RpcSpan {
  run<T>(fn: () => T): T;
  end(code: Code | 0): void;
}

/** Begin the span of an RPC served; its parent comes from the request headers (W3C trace context). */
export function serverSpan(service: string, method: string, header: Headers): RpcSpan {
  const parent = propagation.extract(context.active(), header, headerGetter);
  return begin(service, method, SpanKind.SERVER, parent);
}

/** Begin the span of an RPC made and put its trace context into the outgoing headers. */
export function clientSpan(service: string, method: string, header: Headers): RpcSpan {
  const span = begin(service, method, SpanKind.CLIENT, context.active());
  span.run(() => propagation.inject(context.active(), header, headerSetter));
  return span;
}

function begin(
  service: string,
  method: string,
  kind: SpanKind,
  parent: ReturnType<typeof context.active>,
): RpcSpan {
  const span: Span = tracer.startSpan(
    `${service}/${method}`,
    { kind, attributes: { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method } },
    parent,
  );
  const active = trace.setSpan(parent, span);
  return {
    run: (fn) => context.with(active, fn),
    end: (code) => {
      span.setAttribute("rpc.grpc.status_code", code);
      if (code !== 0) span.setStatus({ code: SpanStatusCode.ERROR, message: Code[code] ?? "Unknown" });
      span.end();
    },
  };
}
