import { EventEmitter, on } from "node:events";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "@cytomesh/contracts/grpc/health/v1/health";
import { bindService, type ServiceBinding } from "./instrument.ts";

/** `grpc.health.v1` of one server: the server as a whole under "" and each of its services by name. */
export interface HealthState {
  readonly binding: ServiceBinding;
  setServing(serving: boolean): void;
  isServing(): boolean;
  /** Let go of those who watch, after the last status: they would keep the server from stopping. */
  close(): void;
}

/** Create the health service for the named services. Everything is NOT_SERVING until told otherwise. */
export function createHealth(serviceNames: readonly string[]): HealthState {
  const known = new Set(["", ...serviceNames]);
  const changes = new EventEmitter();
  changes.setMaxListeners(0);
  const closed = new AbortController();
  let serving = false;
  const status = () => (serving ? Status.SERVING : Status.NOT_SERVING);
  const impl: ServiceImpl<typeof Health> = {
    check(request) {
      if (!known.has(request.service))
        throw new ConnectError(`no service "${request.service}"`, Code.NotFound);
      return { status: status() };
    },
    list() {
      return { statuses: Object.fromEntries([...known].map((name) => [name, { status: status() }])) };
    },
    async *watch(request, context) {
      const now = () => (known.has(request.service) ? status() : Status.SERVICE_UNKNOWN);
      // Before the first look, so that no change falls between the two.
      const events = on(changes, "change", { signal: AbortSignal.any([context.signal, closed.signal]) });
      let sent = now();
      yield { status: sent };
      try {
        for await (const _ of events) {
          if (now() === sent) continue;
          sent = now();
          yield { status: sent };
        }
      } catch (reason) {
        if (!context.signal.aborted && !closed.signal.aborted) throw reason;
      }
      if (!context.signal.aborted && now() !== sent) yield { status: now() };
    },
  };
  return {
    binding: bindService(Health, impl),
    isServing: () => serving,
    setServing(next) {
      if (next === serving) return;
      serving = next;
      changes.emit("change");
    },
    close: () => closed.abort(),
  };
}
