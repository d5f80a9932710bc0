import type { Outbox, OutboxEntry } from "../data-manager/outbox.ts";
import type { Notifications } from "../data-manager/postgres/notifications.ts";
import type { WorkPublisher } from "../schemas/publisher.ts";
import { type Clock, type Logger, systemClock } from "../schemas/runtime.ts";

const BATCH = 100;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;

export interface DispatcherDeps {
  readonly outbox: Outbox;
  readonly notifications: Notifications;
  readonly publisher: WorkPublisher;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** How often to look without having been called. Default 2 000. */
  readonly pollMs?: number;
  /** A publish that takes longer counts as failed. Default 15 000. */
  readonly publishTimeoutMs?: number;
}

/** Carries the outbox to the event bus, at least once. Any number of replicas may run one. */
export interface Dispatcher {
  start(): void;
  /** Ends the loop after the batch under way. */
  stop(): Promise<void>;
  /** Publishes what is due now; returns how many. Throws the bus's error when it fails. */
  drain(): Promise<number>;
}

const backoffMs = (failures: number): number =>
  Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(failures - 1, 10));

export function createDispatcher(deps: DispatcherDeps): Dispatcher {
  const { outbox, notifications, publisher, logger, clock = systemClock } = deps;
  const { pollMs = 2_000, publishTimeoutMs = 15_000 } = deps;

  const publish = async (entry: OutboxEntry) => {
    const { subject, payload } = entry;
    const messageId = `${entry.jobId}/${entry.attempt}/${entry.id}`;
    await withTimeout(
      entry.topic === "work"
        ? publisher.publishWork(subject, payload, { messageId })
        : publisher.publishFact(subject, payload),
      publishTimeoutMs,
      subject,
    );
  };

  const drain = async () => {
    for (let total = 0; ; ) {
      const { taken, published, error } = await outbox.publishDue(clock(), BATCH, publish, backoffMs);
      total += published;
      if (error !== undefined) throw error;
      if (taken < BATCH) return total;
    }
  };

  let stopping = false;
  let called = false;
  let wake = () => {};
  let running: Promise<void> | undefined;

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (stopping || called) wake();
    });

  const untilDue = async () => {
    const due = await outbox.nextDueAt();
    if (due === undefined) return pollMs;
    const inMs = due.getTime() - clock().getTime();
    // Due and still there after a drain: another replica is at it, and asking again at once would only load the database.
    return Math.min(pollMs, inMs > 0 ? Math.max(10, inMs) : FIRST_BACKOFF_MS);
  };

  const loop = async () => {
    for (let failures = 0; !stopping; ) {
      called = false;
      try {
        await drain();
        failures = 0;
        await sleep(await untilDue());
      } catch (error) {
        failures += 1;
        logger.warn({ err: error, failures }, "publishing from the outbox failed; trying again");
        called = false;
        await sleep(backoffMs(failures));
      }
    }
  };

  return {
    drain,
    start() {
      if (running) return;
      const unsubscribe = notifications.subscribe("cytomesh_outbox", () => {
        called = true;
        wake();
      });
      running = loop().finally(unsubscribe);
    },
    async stop() {
      stopping = true;
      wake();
      await running;
    },
  };
}

async function withTimeout(work: Promise<void>, ms: number, subject: string): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`the event bus did not take ${subject} within ${ms} ms`)),
    ms,
  );
  try {
    await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
