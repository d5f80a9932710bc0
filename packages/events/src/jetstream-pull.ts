import { setTimeout as sleep } from "node:timers/promises";
import { createInbox, type Msg, nanos } from "@nats-io/transport-node";
import { asError, EventsError } from "./errors.ts";
import { backoffMs, type Link } from "./jetstream-link.ts";
import { type DeliveryFacts, parseReply } from "./jetstream-wire.ts";

const EXPIRES_MS = 30_000;
const HEARTBEAT_MS = 5000;
/** Silence after which a pull is taken for lost; servers send a heartbeat every `HEARTBEAT_MS`. */
const SILENCE_MS = 2.5 * HEARTBEAT_MS;

export interface PullOptions {
  readonly link: Link;
  readonly stream: string;
  /** Messages that may be in the hands of `deliver` at once. */
  readonly limit: number;
  /** Makes sure the consumer exists and returns its name; called at the start and after every interruption. */
  bind(): Promise<string>;
  /** Never rejects. The message counts against `limit` until it resolves. */
  deliver(msg: Msg, facts: DeliveryFacts): Promise<void>;
  /** A message that came after `stop`: hand it back. */
  refuse(msg: Msg): void;
  onError(error: Error): void;
}

/** How a pull request ended: in order, or so that the consumer has to be looked at again. */
type PullEnd = { readonly ok: true } | { readonly ok: false; readonly error: Error | undefined };

/**
 * Takes messages off a pull consumer, never more at once than there is room for. There is one pull request at a time, for
 * as many messages as there are free places: so messages that wait stay on the server, where another consumer can have them.
 * (The client library's own `fetch` asks for its full batch again after a reconnect, whatever has arrived by then.)
 */
export class PullLoop {
  readonly #o: PullOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #inbox = createInbox();
  #finished: Promise<void> = Promise.resolve();
  #pulls = 0;
  #wake: () => void = () => {};

  constructor(options: PullOptions) {
    this.#o = options;
  }

  /** Resolves once the consumer is bound; throws if that fails, and nothing is left running then. */
  async start(): Promise<void> {
    const consumer = await this.#o.bind();
    this.#finished = this.#loop(consumer);
  }

  /** Takes nothing more; what is being delivered goes on. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#finished;
  }

  /** What is being delivered now. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #loop(bound: string): Promise<void> {
    let consumer: string | undefined = bound;
    let failures = 0;
    while (!this.#stopping.signal.aborted && !this.#o.link.closing.aborted) {
      const free = this.#o.limit - this.#running.size;
      if (free <= 0) {
        await this.#room();
        continue;
      }
      try {
        await this.#o.link.untilConnected(this.#stopping.signal);
        consumer ??= await this.#o.bind();
        const end = await this.#pull(consumer, free);
        if (end.ok) failures = 0;
        else consumer = undefined;
        if (!end.ok && end.error) throw end.error;
      } catch (error) {
        if (this.#stopping.signal.aborted || this.#o.link.closing.aborted) return;
        consumer = undefined;
        this.#o.onError(asError(error));
        await sleep(backoffMs(failures++), undefined, { signal: this.#stopping.signal }).catch(() => {});
      }
    }
  }

  /** Resolves when a place may have become free, or the loop is to end. */
  async #room(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    const { closing } = this.#o.link;
    closing.addEventListener("abort", this.#wake, { once: true });
    await promise;
    closing.removeEventListener("abort", this.#wake);
  }

  async #pull(consumer: string, batch: number): Promise<PullEnd> {
    const { nc } = this.#o.link;
    const over = Promise.withResolvers<PullEnd>();
    const fail = (error?: Error): void => over.resolve({ ok: false, error });
    let missing = batch;
    const silence = setTimeout(
      () => fail(new EventsError("unavailable", "NATS fell silent during a pull")),
      SILENCE_MS,
    );
    const inbox = `${this.#inbox}.${++this.#pulls}`;
    const sub = nc.subscribe(inbox, {
      callback: (error, msg) => {
        silence.refresh();
        if (error) return fail(error);
        const facts = parseReply(msg.reply ?? "");
        if (!facts) return this.#onStatus(msg, over.resolve);
        if (this.#stopping.signal.aborted) return this.#o.refuse(msg);
        this.#deliver(msg, facts);
        if (--missing === 0) over.resolve({ ok: true });
      },
    });
    const onStop = (): void => over.resolve({ ok: true });
    this.#stopping.signal.addEventListener("abort", onStop, { once: true });
    const closingStops = (): void => fail();
    this.#o.link.closing.addEventListener("abort", closingStops, { once: true });
    const off = this.#o.link.onChange(() => fail());
    try {
      const request = { batch, expires: nanos(EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
      nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${this.#o.stream}.${consumer}`, JSON.stringify(request), {
        reply: inbox,
      });
      return await over.promise;
    } finally {
      clearTimeout(silence);
      off();
      this.#stopping.signal.removeEventListener("abort", onStop);
      this.#o.link.closing.removeEventListener("abort", closingStops);
      // Draining lets what is already on its way still come in.
      if (missing === 0 || !this.#o.link.connected() || nc.isClosed()) sub.unsubscribe();
      else await sub.drain().catch(() => {});
    }
  }

  #deliver(msg: Msg, facts: DeliveryFacts): void {
    const delivered = this.#o.deliver(msg, facts).finally(() => {
      this.#running.delete(delivered);
      this.#wake();
    });
    this.#running.add(delivered);
  }

  #onStatus(msg: Msg, end: (end: PullEnd) => void): void {
    const code = msg.headers?.code ?? 0;
    const text = msg.headers?.description ?? "";
    if (code === 100) return;
    // 404 and 408: nothing came until the request expired.
    const inOrder = code === 404 || code === 408 || (code === 409 && /completed/i.test(text));
    if (inOrder) end({ ok: true });
    else
      end({
        ok: false,
        error: new EventsError("unavailable", `NATS ended a pull from ${this.#o.stream}: ${code} ${text}`),
      });
  }
}
