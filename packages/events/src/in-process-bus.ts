import {
  DEAD_BYTES,
  DEAD_LETTERS_LISTED,
  DEDUPE_WINDOW_MS,
  DRAIN_MS,
  deadLetterLimit,
  JOBS_BYTES,
  workSettings,
} from "./defaults.ts";
import { EventsError } from "./errors.ts";
import { HandlerRuns } from "./handler-runs.ts";
import { FactBoard } from "./in-process-facts.ts";
import { type StoredWork, WorkQueue } from "./in-process-work.ts";
import { checkHeaders, checkMessageId, checkSize, messageBytes } from "./messages.ts";
import { checkFactFilter, checkFactSubject, checkName, checkWorkSubject } from "./subjects.ts";
import type { DeadLetter, EventBus, EventLogger, WorkConsumer } from "./types.ts";

export interface InProcessBusOptions {
  readonly logger?: EventLogger;
  /** How long a message id is remembered. Default 120 000. */
  readonly dedupeWindowMs?: number;
}

interface KeptDeadLetter extends DeadLetter {
  readonly messageId: string;
}

/** Ids seen within a window, oldest first as a Map keeps them. */
function createDedupe(windowMs: number): (id: string) => boolean {
  const seen = new Map<string, number>();
  return (id) => {
    const now = performance.now();
    for (const [old, at] of seen) {
      if (now - at < windowMs) break;
      seen.delete(old);
    }
    if (seen.has(id)) return true;
    seen.set(id, now);
    return false;
  };
}

/**
 * The contract of `EventBus` inside one process, for tests, demos and a laptop without a NATS server. Nothing persists: work,
 * facts and dead letters are gone with the process, and other processes see none of them. It shares the sizes and limits
 * of the stored bus, so that what works here works there.
 */
export function createInProcessBus(options: InProcessBusOptions = {}): EventBus {
  const isDuplicate = createDedupe(options.dedupeWindowMs ?? DEDUPE_WINDOW_MS);
  const queues = new Map<string, WorkQueue>();
  const consumers = new Set<WorkConsumer>();
  const facts = new FactBoard(options.logger);
  const dead: KeptDeadLetter[] = [];
  let deadBytes = 0;
  let deadId = 0;
  let storedBytes = 0;
  let closed = false;

  const assertOpen = (): void => {
    if (closed) throw new EventsError("closed", "the event bus is closed");
  };

  const settled = (work: StoredWork, reason: string | undefined): void => {
    storedBytes -= messageBytes(work.payload, work.headers);
    if (reason === undefined) return;
    options.logger?.warn(
      { subject: work.subject, messageId: work.messageId, reason },
      "work became a dead letter",
    );
    const { subject, messageId, payload, headers } = work;
    dead.push({ id: String(++deadId), subject, messageId, payload, headers, reason, at: new Date() });
    deadBytes += messageBytes(payload, headers);
    while (deadBytes > DEAD_BYTES) removeDead(0);
  };

  const removeDead = (at: number): void => {
    const [letter] = dead.splice(at, 1);
    if (letter) deadBytes -= messageBytes(letter.payload, letter.headers);
  };

  const queueOf = (service: string): WorkQueue => {
    const queue = queues.get(service) ?? new WorkQueue(settled);
    queues.set(service, queue);
    return queue;
  };

  const enqueue = (service: string, work: Omit<StoredWork, "deliveryCount">): void => {
    storedBytes += messageBytes(work.payload, work.headers);
    queueOf(service).push({ ...work, deliveryCount: 0 });
  };

  return {
    kind: "in-process",

    async publishWork(subject, payload, { messageId, headers }) {
      assertOpen();
      const service = checkWorkSubject(subject);
      const checked = checkHeaders(headers);
      checkSize(payload, checked);
      if (storedBytes + messageBytes(payload, checked) > JOBS_BYTES) {
        const advice = "retry later, or start more consumers";
        throw new EventsError(
          "queue_full",
          `the work queues hold their maximum of ${JOBS_BYTES} bytes; ${advice}`,
        );
      }
      if (isDuplicate(checkMessageId(messageId))) return;
      enqueue(service, { subject, messageId, payload: payload.slice(), headers: checked });
    },

    async consumeWork(consumeOptions, handler) {
      assertOpen();
      const given = workSettings(consumeOptions);
      const onError = (error: Error): void => {
        options.logger?.warn({ err: error, service: given.service }, "work consumer");
        given.onError(error);
      };
      const settings = { ...given, onError };
      const consumer = { settings, runs: new HandlerRuns(settings, handler) };
      const queue = queueOf(settings.service);
      queue.attach(consumer);
      const handle: WorkConsumer = {
        async stop({ drainMs = DRAIN_MS } = {}) {
          queue.detach(consumer);
          consumers.delete(handle);
          await consumer.runs.drain(drainMs);
        },
      };
      consumers.add(handle);
      return handle;
    },

    async publishFact(subject, payload) {
      assertOpen();
      checkFactSubject(subject);
      checkSize(payload, new Map());
      facts.publish({ subject, payload: payload.slice() });
    },

    async subscribeFacts(filter, handler, { signal, durable } = {}) {
      assertOpen();
      checkFactFilter(filter);
      if (durable !== undefined) checkName("a durable name", durable);
      signal?.throwIfAborted();
      const subscription = facts.subscribe(filter, handler, durable);
      const onAbort = (): void => void subscription.stop();
      signal?.addEventListener("abort", onAbort, { once: true });
      return {
        async stop() {
          signal?.removeEventListener("abort", onAbort);
          await subscription.stop();
        },
      };
    },

    async deadLetters({ limit = DEAD_LETTERS_LISTED } = {}) {
      assertOpen();
      const newest = dead.slice(-deadLetterLimit(limit)).reverse();
      return newest.map(({ messageId: _, ...letter }) => ({ ...letter, payload: letter.payload.slice() }));
    },

    async replayDeadLetter(id) {
      assertOpen();
      const at = dead.findIndex((letter) => letter.id === id);
      const letter = dead[at];
      if (!letter) throw new EventsError("not_found", `no dead letter has the id ${JSON.stringify(id)}`);
      removeDead(at);
      const { subject, messageId, payload, headers } = letter;
      enqueue(checkWorkSubject(subject), { subject, messageId, payload, headers });
    },

    async pending(service) {
      assertOpen();
      checkName("a service name", service);
      return queues.get(service)?.pending() ?? { waiting: 0, inFlight: 0 };
    },

    async ready() {
      assertOpen();
    },

    async close() {
      if (closed) return;
      closed = true;
      await Promise.all([...consumers].map((consumer) => consumer.stop({ drainMs: 0 })));
      for (const queue of queues.values()) queue.close();
      facts.close();
    },
  };
}
