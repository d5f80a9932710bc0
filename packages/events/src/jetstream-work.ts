import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
} from "@nats-io/jetstream";
import { type Msg, nanos } from "@nats-io/transport-node";
import { DRAIN_MS, type WorkSettings } from "./defaults.ts";
import { EventsError } from "./errors.ts";
import { type Delivery, HandlerRuns } from "./handler-runs.ts";
import type { Link } from "./jetstream-link.ts";
import { PullLoop } from "./jetstream-pull.ts";
import { isApiError, type StreamNames } from "./jetstream-streams.ts";
import {
  type DeliveryFacts,
  fromWireHeaders,
  MESSAGE_ID,
  ORIGINAL_ID,
  originalId,
  publishStored,
  REASON,
  sendWorking,
  settleDelivery,
  toWireHeaders,
} from "./jetstream-wire.ts";
import type { Outcome } from "./outcomes.ts";
import type { EventLogger, WorkConsumer, WorkMessage } from "./types.ts";

const CONSUMER_NOT_FOUND = 10014;
const CONSUMER_EXISTS = 10148;
/** Deliveries and retry delays of all processes of a service together; more than any of them will run at once. */
const MAX_ACK_PENDING = 65_536;
/** A message that could not be put among the dead letters is tried again after this. */
const BURIAL_RETRY_MS = 5000;

export interface JetStreamParts {
  readonly link: Link;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly names: StreamNames;
  readonly logger: EventLogger | undefined;
}

export const workConsumerName = (service: string): string => `work-${service}`;

/** Creates the durable consumer or brings its tunable settings up to date; the server's answer is what counts. */
export async function ensureConsumer(
  jsm: JetStreamManager,
  stream: string,
  wanted: Partial<ConsumerConfig> & { durable_name: string },
): Promise<void> {
  const name = wanted.durable_name;
  const info = (): Promise<ConsumerInfo> => jsm.consumers.info(stream, name);
  const existing = await info().catch((error: unknown) => {
    if (isApiError(error, CONSUMER_NOT_FOUND)) return undefined;
    throw error;
  });
  // Another process may create it at this very moment, with other settings.
  const created = (error: unknown): Promise<ConsumerInfo> => {
    if (isApiError(error, CONSUMER_EXISTS)) return info();
    throw error;
  };
  let found = existing ?? (await jsm.consumers.add(stream, wanted).catch(created));
  const tunable = ["ack_wait", "max_ack_pending", "max_deliver", "filter_subject"] as const;
  if (tunable.some((field) => found.config[field] !== wanted[field])) {
    found = await jsm.consumers.update(stream, name, { ...found.config, ...wanted });
  }
  const fixed = ["ack_policy", ...tunable] as const;
  const { config } = found;
  const wrong = fixed.filter((field) => config[field] !== wanted[field]);
  if (wrong.length > 0) {
    const recover = "delete the consumer with the nats tool; it is made again";
    throw new EventsError(
      "settings_refused",
      `consumer ${name} of stream ${stream} differs in ${wrong.join(", ")}; ${recover}`,
    );
  }
}

/** Puts a message among the dead letters; resolves when it is stored there. */
async function bury(parts: JetStreamParts, msg: Msg, facts: DeliveryFacts, reason: string): Promise<void> {
  const { link, js, names } = parts;
  const subject = msg.subject.slice(names.subjectPrefix.length);
  const headers = toWireHeaders(fromWireHeaders(msg.headers), {
    [REASON]: reason,
    [ORIGINAL_ID]: originalId(msg.headers),
    // The same message is buried once, however often its burial has to be repeated.
    [MESSAGE_ID]: `dead:${facts.streamSequence}:${facts.storedAtNanos}`,
  });
  await publishStored(link, js, `${names.subjectPrefix}dead.${subject}`, msg.data, headers);
}

async function settle(
  parts: JetStreamParts,
  msg: Msg,
  facts: DeliveryFacts,
  outcome: Outcome,
  ackWaitMs: number,
): Promise<void> {
  if (outcome.kind === "done") return await settleDelivery(parts.link, msg, "done", ackWaitMs);
  if (outcome.kind === "retry") {
    return await settleDelivery(parts.link, msg, { againAfterMs: outcome.delayMs }, ackWaitMs);
  }
  const messageId = originalId(msg.headers);
  parts.logger?.warn(
    { subject: msg.subject, messageId, reason: outcome.reason },
    "work became a dead letter",
  );
  try {
    await bury(parts, msg, facts, outcome.reason);
  } catch (error) {
    await settleDelivery(parts.link, msg, { againAfterMs: BURIAL_RETRY_MS }, ackWaitMs);
    throw error;
  }
  await settleDelivery(parts.link, msg, "terminate", ackWaitMs);
}

export async function consumeJetStreamWork(
  parts: JetStreamParts,
  settings: WorkSettings,
  handler: (message: WorkMessage) => Promise<void>,
): Promise<WorkConsumer> {
  const { link, jsm, names } = parts;
  const runs = new HandlerRuns(settings, handler);
  const durable_name = workConsumerName(settings.service);

  const deliver = (msg: Msg, facts: DeliveryFacts): Promise<void> => {
    const delivery: Delivery = {
      subject: msg.subject.slice(names.subjectPrefix.length),
      messageId: originalId(msg.headers),
      payload: msg.data,
      headers: fromWireHeaders(msg.headers),
      deliveryCount: facts.deliveryCount,
      working: () => sendWorking(link, msg),
      settle: (outcome) => settle(parts, msg, facts, outcome, settings.ackWaitMs),
    };
    return runs.start(delivery);
  };

  const loop = new PullLoop({
    link,
    stream: names.jobs,
    limit: settings.maxInFlight,
    deliver,
    refuse: (msg) =>
      void settleDelivery(link, msg, { againAfterMs: 0 }, settings.ackWaitMs).catch(settings.onError),
    onError: settings.onError,
    async bind() {
      await ensureConsumer(jsm, names.jobs, {
        durable_name,
        filter_subject: `${names.subjectPrefix}jobs.${settings.service}.>`,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        ack_wait: nanos(settings.ackWaitMs),
        // Counted by `outcomeBeforeHandling`, which says why.
        max_deliver: -1,
        max_ack_pending: MAX_ACK_PENDING,
      });
      return durable_name;
    },
  });
  await loop.start();
  return {
    async stop({ drainMs = DRAIN_MS } = {}) {
      await loop.stop();
      await runs.drain(drainMs);
    },
  };
}
