import type { WorkSettings } from "./defaults.ts";
import type { HandlerRuns } from "./handler-runs.ts";
import type { Outcome } from "./outcomes.ts";
import type { PendingWork } from "./types.ts";

export interface StoredWork {
  readonly subject: string;
  readonly messageId: string;
  readonly payload: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  deliveryCount: number;
}

export interface QueueConsumer {
  readonly settings: WorkSettings;
  readonly runs: HandlerRuns;
}

/** The queue of one service: first in, first out, except that redeliveries go before what was never delivered. */
export class WorkQueue {
  #fresh: StoredWork[] = [];
  /** Index of the first message of `#fresh` not yet taken; shifting a long array costs its length. */
  #taken = 0;
  readonly #again: StoredWork[] = [];
  readonly #delayed = new Map<StoredWork, NodeJS.Timeout>();
  readonly #running = new Set<StoredWork>();
  readonly #consumers: QueueConsumer[] = [];
  readonly #settled: (work: StoredWork, deadReason: string | undefined) => void;

  /** `settled` is told when a message leaves the queue: done, or dead for a reason. */
  constructor(settled: (work: StoredWork, deadReason: string | undefined) => void) {
    this.#settled = settled;
  }

  push(work: StoredWork): void {
    this.#fresh.push(work);
    this.#dispatchSoon();
  }

  attach(consumer: QueueConsumer): void {
    this.#consumers.push(consumer);
    this.#dispatchSoon();
  }

  detach(consumer: QueueConsumer): void {
    const at = this.#consumers.indexOf(consumer);
    if (at >= 0) this.#consumers.splice(at, 1);
  }

  pending(): PendingWork {
    const waiting = this.#fresh.length - this.#taken;
    return { waiting, inFlight: this.#running.size + this.#delayed.size + this.#again.length };
  }

  close(): void {
    for (const timer of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#consumers.length = 0;
  }

  #dispatchSoon(): void {
    queueMicrotask(() => this.#dispatch());
  }

  #dispatch(): void {
    while (this.#again.length > 0 || this.#taken < this.#fresh.length) {
      const consumer = this.#freeConsumer();
      if (!consumer) return;
      this.#deliver(this.#again.shift() ?? this.#takeFresh(), consumer);
    }
  }

  #takeFresh(): StoredWork {
    const work = this.#fresh[this.#taken++]!;
    if (this.#taken > 1024 && this.#taken * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#taken);
      this.#taken = 0;
    }
    return work;
  }

  /** The consumers take turns, as long as they have room. */
  #freeConsumer(): QueueConsumer | undefined {
    const at = this.#consumers.findIndex((c) => c.runs.size < c.settings.maxInFlight);
    if (at < 0) return undefined;
    const [consumer] = this.#consumers.splice(at, 1);
    this.#consumers.push(consumer!);
    return consumer;
  }

  #deliver(work: StoredWork, consumer: QueueConsumer): void {
    work.deliveryCount++;
    this.#running.add(work);
    const settle = async (outcome: Outcome): Promise<void> => this.#settle(work, outcome);
    // A handler of this process cannot die alone, so there is no ack deadline to extend.
    const delivery = { ...work, payload: work.payload.slice(), working: () => {}, settle };
    void consumer.runs.start(delivery).then(() => this.#dispatch());
  }

  #settle(work: StoredWork, outcome: Outcome): void {
    this.#running.delete(work);
    if (outcome.kind !== "retry") {
      this.#settled(work, outcome.kind === "dead" ? outcome.reason : undefined);
    } else if (outcome.delayMs === 0) {
      this.#again.push(work);
      this.#dispatchSoon();
    } else {
      const redeliver = (): void => {
        this.#delayed.delete(work);
        this.#again.push(work);
        this.#dispatch();
      };
      this.#delayed.set(work, setTimeout(redeliver, outcome.delayMs));
    }
  }
}
