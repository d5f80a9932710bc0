export { EventsError, type EventsErrorTag } from "./errors.ts";
export { createInProcessBus, type InProcessBusOptions } from "./in-process-bus.ts";
export { connectJetStream, type JetStreamBusOptions } from "./jetstream-bus.ts";
export type { StreamLimits } from "./jetstream-streams.ts";
export {
  type FindNatsServerOptions,
  type FoundNatsServer,
  findNatsServer,
  type RunningNatsServer,
  type StartNatsServerOptions,
  startNatsServer,
} from "./nats-server.ts";
export { type OpenBus, type OpenBusOptions, openBus } from "./open-bus.ts";
export { Reject, RetryLater } from "./outcomes.ts";
export { subjectMatches } from "./subjects.ts";
export type {
  ConsumeWorkOptions,
  DeadLetter,
  EventBus,
  EventLogger,
  Fact,
  FactSubscription,
  PendingWork,
  PublishWorkOptions,
  StopOptions,
  SubscribeFactsOptions,
  WorkConsumer,
  WorkMessage,
} from "./types.ts";
