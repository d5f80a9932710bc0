import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { nuid } from "@nats-io/transport-node";
import { DEAD_LETTERS_LISTED, DEDUPE_WINDOW_MS, deadLetterLimit, workSettings } from "./defaults.ts";
import { asError, EventsError } from "./errors.ts";
import { listDeadLetters, replayJetStreamDeadLetter } from "./jetstream-dead-letters.ts";
import { subscribeDurable, subscribeLive } from "./jetstream-facts.ts";
import { createGuard } from "./jetstream-guard.ts";
import { openLink } from "./jetstream-link.ts";
import { ensureStreams, isApiError, type StreamLimits, streamNames } from "./jetstream-streams.ts";
import { MESSAGE_ID, publishStored, toWireHeaders } from "./jetstream-wire.ts";
import { consumeJetStreamWork, type JetStreamParts, workConsumerName } from "./jetstream-work.ts";
import { checkHeaders, checkMessageId, checkSize } from "./messages.ts";
import { checkFactFilter, checkFactSubject, checkName, checkWorkSubject } from "./subjects.ts";
import type { EventBus, EventLogger, PendingWork } from "./types.ts";

const CONSUMER_NOT_FOUND = 10014;
/** Requests to the JetStream API; a readiness probe should not hang longer than this. */
const API_MS = 5000;

export interface JetStreamBusOptions {
  /** `nats://[user:password@]host:port`, `tls://…`, several separated by commas or in an array. */
  readonly servers: string | string[];
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** Separates several meshes on one server: streams `<prefix>_JOBS`, subjects `<prefix>.jobs.>`; invisible to users of the bus. */
  readonly streamPrefix?: string;
  /** Copies of each stream in a cluster, 1 to 5. Given: enforced. Not given: 1 for new streams. */
  readonly replicas?: number;
  /** Sizes of streams that are created. */
  readonly limits?: StreamLimits;
  readonly logger?: EventLogger;
  /** How long a message id is remembered. Default 120 000. */
  readonly dedupeWindowMs?: number;
  /** How long to keep trying for the first connection. Default 30 000. */
  readonly connectTimeoutMs?: number;
}

async function openParts(o: JetStreamBusOptions): Promise<JetStreamParts> {
  if (o.streamPrefix !== undefined) checkName("a stream prefix", o.streamPrefix);
  const names = streamNames(o.streamPrefix);
  const link = await openLink(o);
  const settings = {
    names,
    dedupeWindowMs: o.dedupeWindowMs ?? DEDUPE_WINDOW_MS,
    replicas: o.replicas,
    limits: o.limits ?? {},
  };
  try {
    const jsm = await jetstreamManager(link.nc, { timeout: API_MS });
    const js = jetstream(link.nc, { timeout: API_MS });
    await ensureStreams(jsm, settings);
    // A server that came back without its store has to be given its streams again.
    link.onChange((connected) => {
      if (!connected) return;
      ensureStreams(jsm, settings).catch((error: unknown) => {
        if (!link.closing.aborted)
          o.logger?.error({ err: asError(error) }, "could not check the streams after reconnecting");
      });
    });
    return { link, js, jsm, names, logger: o.logger };
  } catch (error) {
    await link.close();
    throw error instanceof EventsError
      ? error
      : new EventsError("unavailable", `JetStream did not answer: ${asError(error).message}`, {
          cause: error,
        });
  }
}

async function pendingWork({ jsm, names }: JetStreamParts, service: string): Promise<PendingWork> {
  try {
    const info = await jsm.consumers.info(names.jobs, workConsumerName(service));
    return { waiting: info.num_pending, inFlight: info.num_ack_pending };
  } catch (error) {
    if (!isApiError(error, CONSUMER_NOT_FOUND)) throw error;
  }
  // Nobody has consumed this service yet: everything under its name is waiting.
  const filter = `${names.subjectPrefix}jobs.${service}.>`;
  const { state } = await jsm.streams.info(names.jobs, { subjects_filter: filter });
  const waiting = Object.values(state.subjects ?? {}).reduce((sum, count) => sum + count, 0);
  return { waiting, inFlight: 0 };
}

/**
 * The event bus on a NATS server ≥ 2.10 with JetStream. Creates its streams if they are missing and checks their settings.
 * Throws `unavailable` when no server answers in time, `settings_refused` when one cannot be used, `invalid_option`.
 */
export async function connectJetStream(options: JetStreamBusOptions): Promise<EventBus> {
  const parts = await openParts(options);
  const { link, js, jsm, names, logger } = parts;
  const { guarded, kept, close } = createGuard(link);
  const maxPayload = (): number | undefined => link.nc.info?.max_payload;

  return {
    kind: "jetstream",

    publishWork: (subject, payload, { messageId, headers }) =>
      guarded("publish", async () => {
        checkWorkSubject(subject);
        const checked = checkHeaders(headers);
        checkSize(payload, checked, maxPayload());
        const wire = toWireHeaders(checked, { [MESSAGE_ID]: checkMessageId(messageId) });
        await publishStored(link, js, `${names.subjectPrefix}${subject}`, payload, wire);
      }),

    consumeWork: (consumeOptions, handler) =>
      guarded("consume", async () => {
        const settings = workSettings(consumeOptions);
        const onError = (error: Error): void => {
          logger?.warn({ err: error, service: settings.service }, "work consumer");
          settings.onError(error);
        };
        return await kept(await consumeJetStreamWork(parts, { ...settings, onError }, handler));
      }),

    publishFact: (subject, payload) =>
      guarded("publish", async () => {
        checkFactSubject(subject);
        checkSize(payload, new Map(), maxPayload());
        const wire = toWireHeaders(new Map(), { [MESSAGE_ID]: nuid.next() });
        await publishStored(link, js, `${names.subjectPrefix}${subject}`, payload, wire);
      }),

    async subscribeFacts(filter, handler, { signal, durable } = {}) {
      signal?.throwIfAborted();
      return await guarded("subscribe", async () => {
        checkFactFilter(filter);
        if (durable !== undefined) checkName("a durable name", durable);
        const subscription = await kept(
          durable === undefined
            ? await subscribeLive(parts, filter, handler)
            : await subscribeDurable(parts, filter, handler, durable),
        );
        const onAbort = (): void => void subscription.stop();
        if (signal?.aborted) onAbort();
        signal?.addEventListener("abort", onAbort, { once: true });
        const stop = async (): Promise<void> => {
          signal?.removeEventListener("abort", onAbort);
          await subscription.stop();
        };
        return { stop };
      });
    },

    deadLetters: ({ limit = DEAD_LETTERS_LISTED } = {}) =>
      guarded("list dead letters", () => listDeadLetters(parts, deadLetterLimit(limit))),

    replayDeadLetter: (id) => guarded("replay a dead letter", () => replayJetStreamDeadLetter(parts, id)),

    pending: (service) =>
      guarded("count pending work", () => {
        checkName("a service name", service);
        return pendingWork(parts, service);
      }),

    ready: () =>
      guarded("get ready", async () => {
        if (!link.connected()) throw new EventsError("unavailable", "not connected to NATS, reconnecting");
        await Promise.all([names.jobs, names.facts, names.dead].map((name) => jsm.streams.info(name)));
      }),

    close,
  };
}
