export { type CallContext, currentCall, runDetached, runInCall } from "./context.ts";
export { createEdgeHandler, forwardService, type NodeHandler } from "./edge.ts";
export {
  errorDomain,
  httpStatusOf,
  isTaggedError,
  isTransient,
  type TaggedError,
  tagOf,
  toConnectError,
} from "./errors.ts";
export { type Channel, type ChannelOptions, openChannel } from "./grpc-client.ts";
export { type GrpcServer, type GrpcServerOptions, startGrpcServer } from "./grpc-server.ts";
export { createHealth, type HealthState } from "./health.ts";
export { type HostedService, type HostOptions, hostService, runMain, type Stoppable } from "./host.ts";
export { bindService, instrument, requestIdHeader, type ServiceBinding } from "./instrument.ts";
export { defaultUnaryTimeoutMs, maxMessageBytes } from "./limits.ts";
export { createLogger, type Logger, type LogLevel, logLevels } from "./logging.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export { answerProbe, type ProbeTargets, startProbeServer } from "./probes.ts";
export { createReflection } from "./reflection.ts";
