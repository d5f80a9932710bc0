import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import { type Msg, nanos, nuid } from "@nats-io/transport-node";
import { ABORT_GRACE_MS, FACT_ATTEMPTS, FACT_RETRY_MS } from "./defaults.ts";
import { asError } from "./errors.ts";
import type { FactHandler } from "./in-process-facts.ts";
import { PullLoop } from "./jetstream-pull.ts";
import { type DeliveryFacts, sendWorking, settleDelivery } from "./jetstream-wire.ts";
import { ensureConsumer, type JetStreamParts } from "./jetstream-work.ts";
import type { Fact, FactSubscription } from "./types.ts";

/**
 * Short, because a durable's facts come one at a time: after a server crash, whose last acknowledgements may be lost though the
 * facts are not, nothing else is delivered until this has passed.
 */
const FACT_ACK_WAIT_MS = 5000;
/** Facts fetched ahead of a live handler. */
const LIVE_AHEAD = 256;
/** A live consumer whose process died is removed by the server after this. */
const LIVE_INACTIVE_MS = 60_000;

const toFact = (parts: JetStreamParts, msg: Msg): Fact => ({
  subject: msg.subject.slice(parts.names.subjectPrefix.length),
  payload: msg.data,
});

/** Ends the loop and gives the running handler a moment, as it may be the one that asks. */
async function stopLoop(loop: PullLoop): Promise<void> {
  await loop.stop();
  const timer = new AbortController();
  await Promise.race([
    loop.idle(),
    sleep(ABORT_GRACE_MS, undefined, { signal: timer.signal }).catch(() => {}),
  ]);
  timer.abort();
}

/**
 * Facts from now on, in order. The server keeps an unnamed consumer for it; when that is lost with a connection or a server, a
 * new one goes on behind the last fact received, so a short interruption leaves no gap.
 */
export async function subscribeLive(
  parts: JetStreamParts,
  filter: string,
  handler: FactHandler,
): Promise<FactSubscription> {
  const { link, jsm, names, logger } = parts;
  let position: number | undefined;
  let consumer: string | undefined;
  let stopped = false;
  let tail: Promise<void> = Promise.resolve();

  const handle = async (fact: Fact): Promise<void> => {
    if (stopped) return;
    try {
      await handler(fact);
    } catch (error) {
      logger?.error({ err: asError(error), subject: fact.subject }, "fact handler failed");
    }
  };
  const forget = async (): Promise<void> => {
    if (consumer && link.connected() && !link.closing.aborted) {
      await jsm.consumers.delete(names.facts, consumer).catch(() => {});
    }
    consumer = undefined;
  };
  const loop = new PullLoop({
    link,
    stream: names.facts,
    limit: LIVE_AHEAD,
    deliver(msg, { streamSequence }) {
      position = streamSequence;
      tail = tail.then(() => handle(toFact(parts, msg)));
      return tail;
    },
    refuse: () => {},
    onError: (error) => logger?.warn({ err: error, filter }, "fact subscription interrupted"),
    async bind() {
      await forget();
      const { state } = await jsm.streams.info(names.facts);
      // A position beyond the end belongs to a stream that is gone: everything in the new one is news.
      position = position === undefined ? state.last_seq : position > state.last_seq ? 0 : position;
      const name = `live-${nuid.next()}`;
      await jsm.consumers.add(names.facts, {
        name,
        filter_subject: `${names.subjectPrefix}${filter}`,
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: position + 1,
        inactive_threshold: nanos(LIVE_INACTIVE_MS),
        mem_storage: true,
        num_replicas: 1,
      });
      consumer = name;
      return name;
    },
  });
  await loop.start();
  return {
    async stop() {
      stopped = true;
      await stopLoop(loop);
      await forget();
    },
  };
}

/** Facts since the name first subscribed. One at a time over all subscribers of the name, so their order is kept through retries. */
export async function subscribeDurable(
  parts: JetStreamParts,
  filter: string,
  handler: FactHandler,
  durable: string,
): Promise<FactSubscription> {
  const { link, jsm, names, logger } = parts;
  const durable_name = `facts-${durable}`;
  const onError = (error: Error): void =>
    logger?.warn({ err: error, durable }, "durable fact subscription interrupted");

  const attempt = async (msg: Msg, { deliveryCount }: DeliveryFacts): Promise<number | undefined> => {
    try {
      await handler(toFact(parts, msg));
      return undefined;
    } catch (error) {
      const last = deliveryCount >= FACT_ATTEMPTS;
      const fields = { err: asError(error), subject: msg.subject, durable, attempt: deliveryCount };
      logger?.[last ? "error" : "warn"](fields, "fact handler failed");
      return last ? undefined : FACT_RETRY_MS[Math.min(deliveryCount, FACT_RETRY_MS.length) - 1];
    }
  };
  const deliver = async (msg: Msg, facts: DeliveryFacts): Promise<void> => {
    const heartbeat = setInterval(() => sendWorking(link, msg), FACT_ACK_WAIT_MS / 3);
    try {
      const againAfterMs = await attempt(msg, facts);
      await settleDelivery(
        link,
        msg,
        againAfterMs === undefined ? "done" : { againAfterMs },
        FACT_ACK_WAIT_MS,
      );
    } catch (error) {
      onError(asError(error));
    } finally {
      clearInterval(heartbeat);
    }
  };
  const loop = new PullLoop({
    link,
    stream: names.facts,
    limit: 1,
    deliver,
    refuse: (msg) => void settleDelivery(link, msg, { againAfterMs: 0 }, FACT_ACK_WAIT_MS).catch(onError),
    onError,
    async bind() {
      await ensureConsumer(jsm, names.facts, {
        durable_name,
        filter_subject: `${names.subjectPrefix}${filter}`,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.New,
        ack_wait: nanos(FACT_ACK_WAIT_MS),
        max_deliver: -1,
        max_ack_pending: 1,
      });
      return durable_name;
    },
  });
  await loop.start();
  return { stop: () => stopLoop(loop) };
}
