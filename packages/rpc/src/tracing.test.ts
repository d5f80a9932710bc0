import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { after, test } from "node:test";
import { ExtractService } from "@cytomesh/contracts/extract/v1/extract_service";
import {
  type Context,
  type ContextManager,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  trace,
} from "@opentelemetry/api";
import { bindService, createLogger, createMetrics, hostService, openChannel } from "./index.ts";

interface Recorded {
  name: string;
  id: string;
  parent: string | undefined;
  ended: boolean;
}

/** The least OpenTelemetry SDK: a context manager, a tracer that records, W3C trace context. */
function registerRecorder(): Recorded[] {
  const spans: Recorded[] = [];
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (one, fn, thisArg, ...args) => storage.run(one, () => fn.call(thisArg as never, ...args)),
    bind: (one, target) =>
      typeof target === "function" ? (storage.run(one, () => target) as typeof target) : target,
    enable: () => manager,
    disable: () => manager,
  };
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator({
    fields: () => ["traceparent"],
    inject(one, carrier, setter) {
      const span = trace.getSpanContext(one);
      if (span !== undefined) setter.set(carrier, "traceparent", `00-${span.traceId}-${span.spanId}-01`);
    },
    extract(one, carrier, getter) {
      const [, traceId, spanId] = String(getter.get(carrier, "traceparent") ?? "").split("-");
      return traceId && spanId
        ? trace.setSpanContext(one, { traceId, spanId, traceFlags: 1, isRemote: true })
        : one;
    },
  });
  trace.setGlobalTracerProvider({
    getTracer: () => ({
      startSpan(name: string, _options: unknown, one: Context) {
        const parent = trace.getSpanContext(one ?? context.active());
        const id = (spans.length + 1).toString(16).padStart(16, "0");
        const record: Recorded = { name, id, parent: parent?.spanId, ended: false };
        spans.push(record);
        const own: SpanContext = { traceId: parent?.traceId ?? "1".repeat(32), spanId: id, traceFlags: 1 };
        const span = {
          spanContext: () => own,
          setAttribute: () => span,
          setStatus: () => span,
          end: () => {
            record.ended = true;
          },
        };
        return span as unknown as Span;
      },
      startActiveSpan: () => {
        throw new Error("not used");
      },
    }),
  });
  return spans;
}

test("a registered SDK sees one trace through two services, every span ended", async () => {
  const spans = registerRecorder();
  const host = async (countCells: () => Promise<{ cells: bigint }>) => {
    const hosted = await hostService({
      name: "test",
      host: "127.0.0.1",
      grpcPort: 0,
      healthPort: undefined,
      services: [
        bindService(ExtractService, {
          countCells,
          listValues: () => ({}),
          getCells: () => ({}),
          prepareCurriculum: () => ({}),
          extractBins: () => ({}),
        }),
      ],
      logger: createLogger("test", "silent"),
      metrics: createMetrics("test"),
    });
    const channel = openChannel(hosted.address);
    after(async () => {
      channel.close();
      await hosted.stop(100);
    });
    return channel.client(ExtractService);
  };
  const inner = await host(async () => ({ cells: 3n }));
  const outer = await host(async () => ({ cells: (await inner.countCells({})).cells }));
  assert.equal((await outer.countCells({})).cells, 3n);
  assert.equal(spans.length, 4);
  assert.ok(
    spans.every((span) => span.ended && span.name === "cytomesh.extract.v1.ExtractService/CountCells"),
  );
  assert.deepEqual(
    spans.map((span) => span.parent),
    [undefined, ...spans.slice(0, 3).map((span) => span.id)],
  );
});
