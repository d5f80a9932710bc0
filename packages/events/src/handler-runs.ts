import { setTimeout as sleep } from "node:timers/promises";
import { ABORT_GRACE_MS, type WorkSettings } from "./defaults.ts";
import { asError } from "./errors.ts";
import { type Outcome, outcomeBeforeHandling, outcomeOfFailure } from "./outcomes.ts";
import type { WorkMessage } from "./types.ts";

/** A message as one of the buses delivers it, and what the bus does with the outcome. */
export interface Delivery extends Omit<WorkMessage, "signal"> {
  /** Must not reject for good: the message would neither be settled nor come back before its ack deadline. */
  settle(outcome: Outcome): Promise<void>;
}

/**
 * The handlers that one consumer is running: heartbeats while they run, the outcome of each, and an orderly end. An entry
 * stays in `size` until its outcome is settled, so `maxInFlight` also bounds unsettled messages.
 */
export class HandlerRuns {
  readonly #settings: WorkSettings;
  readonly #handler: (message: WorkMessage) => Promise<void>;
  readonly #running = new Set<Promise<void>>();
  readonly #late = new AbortController();
  /** How to give up on each running handler; a promise shared by all runs would remember every run there ever was. */
  readonly #abandon = new Set<() => void>();

  constructor(settings: WorkSettings, handler: (message: WorkMessage) => Promise<void>) {
    this.#settings = settings;
    this.#handler = handler;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Resolves when any of the running handlers is through; at once when there is none. */
  async anyDone(): Promise<void> {
    if (this.#running.size > 0) await Promise.race(this.#running);
  }

  /** Starts the handler; the returned promise never rejects. */
  start(delivery: Delivery): Promise<void> {
    const run = this.#run(delivery).finally(() => this.#running.delete(run));
    this.#running.add(run);
    return run;
  }

  async #run(delivery: Delivery): Promise<void> {
    const heartbeat = setInterval(() => delivery.working(), this.#settings.ackWaitMs / 3);
    try {
      const outcome =
        outcomeBeforeHandling(delivery.deliveryCount, this.#settings) ?? (await this.#outcome(delivery));
      await delivery.settle(outcome);
    } catch (error) {
      this.#settings.onError(asError(error));
    } finally {
      clearInterval(heartbeat);
    }
  }

  async #outcome(delivery: Delivery): Promise<Outcome> {
    const signal = this.#late.signal;
    const { subject, messageId, payload, headers, deliveryCount } = delivery;
    const message: WorkMessage = {
      subject,
      messageId,
      payload,
      headers,
      deliveryCount,
      working: () => delivery.working(),
      signal,
    };
    const abandoned = Promise.withResolvers<"abandoned">();
    const abandon = (): void => abandoned.resolve("abandoned");
    this.#abandon.add(abandon);
    try {
      // Through a microtask, so that a handler which throws before its first await is treated like any other.
      const handled = Promise.resolve(message).then(this.#handler);
      const first = await Promise.race([handled, abandoned.promise]);
      if (first !== "abandoned") return { kind: "done" };
      handled.catch((error: unknown) => this.#settings.onError(asError(error)));
      return { kind: "retry", delayMs: 0 };
    } catch (error) {
      this.#settings.onError(asError(error));
      // Stopping is the consumer's doing, not the message's: no back-off, and nobody's dead letter.
      return signal.aborted
        ? { kind: "retry", delayMs: 0 }
        : outcomeOfFailure(error, deliveryCount, this.#settings);
    } finally {
      this.#abandon.delete(abandon);
    }
  }

  /** Waits for running handlers, then aborts their signal, then hands back the messages of those that do not react. */
  async drain(drainMs: number): Promise<void> {
    await this.#settledWithin(drainMs);
    this.#late.abort(new Error("the consumer was stopped"));
    await this.#settledWithin(ABORT_GRACE_MS);
    for (const abandon of this.#abandon) abandon();
    await Promise.all(this.#running);
  }

  async #settledWithin(ms: number): Promise<void> {
    if (this.#running.size === 0 || ms <= 0) return;
    const timer = new AbortController();
    const timeout = sleep(ms, undefined, { signal: timer.signal }).catch(() => {});
    await Promise.race([Promise.all(this.#running), timeout]);
    timer.abort();
  }
}
