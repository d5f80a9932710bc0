import { setTimeout as sleep } from "node:timers/promises";
import { ABORT_GRACE_MS, FACT_ATTEMPTS, FACT_RETRY_MS, FACTS_BYTES } from "./defaults.ts";
import { asError } from "./errors.ts";
import { subjectMatches } from "./subjects.ts";
import type { EventLogger, Fact, FactSubscription } from "./types.ts";

export type FactHandler = (fact: Fact) => void | Promise<void>;

/** One name's facts: a backlog, and the handlers that work it off one fact at a time. A live subscription is one with `attempts` 1. */
class FactQueue {
  filter: string;
  readonly handlers: FactHandler[] = [];
  readonly #attempts: number;
  readonly #logger: EventLogger | undefined;
  readonly #closed = new AbortController();
  #backlog: Fact[] = [];
  #bytes = 0;
  #pumping: Promise<void> | undefined;

  constructor(filter: string, attempts: number, logger: EventLogger | undefined) {
    this.filter = filter;
    this.#attempts = attempts;
    this.#logger = logger;
  }

  push(fact: Fact): void {
    this.#backlog.push(fact);
    this.#bytes += fact.payload.byteLength + fact.subject.length;
    // The same bound as the stream of facts has on a server: the oldest go first.
    while (this.#bytes > FACTS_BYTES) this.#take();
    this.pump();
  }

  #take(): Fact | undefined {
    const fact = this.#backlog.shift();
    if (fact) this.#bytes -= fact.payload.byteLength + fact.subject.length;
    return fact;
  }

  pump(): void {
    this.#pumping ??= this.#pump();
  }

  async #pump(): Promise<void> {
    // Publishing comes first: no handler runs inside its publisher's call.
    await Promise.resolve();
    for (let fact = this.#next(); fact; fact = this.#next()) await this.#deliver(fact);
    // In the same step as the last look at the backlog: a fact that comes later starts the next round.
    this.#pumping = undefined;
  }

  #next(): Fact | undefined {
    return this.handlers.length > 0 && !this.#closed.signal.aborted ? this.#take() : undefined;
  }

  async #deliver(fact: Fact): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const handler = this.handlers[0];
      if (!handler) {
        this.#backlog.unshift(fact);
        this.#bytes += fact.payload.byteLength + fact.subject.length;
        return;
      }
      try {
        return await handler({ subject: fact.subject, payload: fact.payload.slice() });
      } catch (error) {
        const last = attempt >= this.#attempts;
        this.#logger?.[last ? "error" : "warn"](
          { err: asError(error), subject: fact.subject, attempt },
          "fact handler failed",
        );
        if (last) return;
        const delay = FACT_RETRY_MS[Math.min(attempt, FACT_RETRY_MS.length) - 1];
        await sleep(delay, undefined, { signal: this.#closed.signal }).catch(() => {});
        if (this.#closed.signal.aborted) return;
      }
    }
  }

  /** Waits for the handler that is running, though not for ever: it may be the one that asks. */
  async settle(): Promise<void> {
    const timer = new AbortController();
    const grace = sleep(ABORT_GRACE_MS, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([this.#pumping, grace]);
    timer.abort();
  }

  close(): void {
    this.#closed.abort();
    this.handlers.length = 0;
  }
}

/** Everybody who listens for facts in this process. */
export class FactBoard {
  readonly #live = new Set<FactQueue>();
  readonly #durable = new Map<string, FactQueue>();
  readonly #logger: EventLogger | undefined;

  constructor(logger: EventLogger | undefined) {
    this.#logger = logger;
  }

  publish(fact: Fact): void {
    for (const queue of [...this.#live, ...this.#durable.values()]) {
      if (subjectMatches(queue.filter, fact.subject)) queue.push(fact);
    }
  }

  subscribe(filter: string, handler: FactHandler, durable: string | undefined): FactSubscription {
    const queue = durable === undefined ? this.#addLive(filter) : this.#named(durable, filter);
    queue.handlers.push(handler);
    queue.pump();
    const stop = async (): Promise<void> => {
      const at = queue.handlers.indexOf(handler);
      if (at < 0) return;
      queue.handlers.splice(at, 1);
      await queue.settle();
      if (this.#live.delete(queue)) queue.close();
    };
    return { stop };
  }

  #addLive(filter: string): FactQueue {
    const queue = new FactQueue(filter, 1, this.#logger);
    this.#live.add(queue);
    return queue;
  }

  #named(name: string, filter: string): FactQueue {
    const queue = this.#durable.get(name) ?? new FactQueue(filter, FACT_ATTEMPTS, this.#logger);
    queue.filter = filter;
    this.#durable.set(name, queue);
    return queue;
  }

  close(): void {
    for (const queue of [...this.#live, ...this.#durable.values()]) queue.close();
  }
}
