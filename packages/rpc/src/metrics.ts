import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** The metrics of one service process; several services of one process have one registry each. */
export interface Metrics {
  readonly registry: Registry;
  readonly rpcDuration: Histogram<"rpc_service" | "rpc_method" | "rpc_code">;
  readonly rpcInFlight: Gauge<"rpc_service" | "rpc_method">;
  readonly jobAttempts: Counter<"kind" | "outcome">;
  readonly jobsRunning: Gauge<"kind">;
}

/** Buckets of RPC durations in seconds: 1 ms (a catalog read) to 60 s (a large annotate stream). */
const rpcBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Create the metrics of a service. `processMetrics` adds CPU, memory and event-loop lag; at most one service per process wants it. */
export function createMetrics(service: string, options: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  if (options.processMetrics ?? false) collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    rpcDuration: new Histogram({
      name: "rpc_server_duration_seconds",
      help: "Duration of RPCs served, from the first byte in to the last byte out.",
      labelNames: ["rpc_service", "rpc_method", "rpc_code"],
      buckets: rpcBuckets,
      registers,
    }),
    rpcInFlight: new Gauge({
      name: "rpc_server_in_flight",
      help: "RPCs being served.",
      labelNames: ["rpc_service", "rpc_method"],
      registers,
    }),
    jobAttempts: new Counter({
      name: "job_attempts_total",
      help: "Job attempts ended, by kind and outcome.",
      labelNames: ["kind", "outcome"],
      registers,
    }),
    jobsRunning: new Gauge({
      name: "jobs_running",
      help: "Job attempts under way.",
      labelNames: ["kind"],
      registers,
    }),
  };
}
