/** Structural, so that pino, console-like objects and test doubles all fit. */
export interface EventLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** One delivery of one piece of work. The same message may be delivered again, so handlers are idempotent. */
export interface WorkMessage {
  /** `jobs.<service>.<kind>`, with more tokens where the publisher gave more. */
  readonly subject: string;
  /** The publisher's id; the same on every redelivery and after a replay from the dead letters. */
  readonly messageId: string;
  readonly payload: Uint8Array;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** 1 on the first delivery. */
  readonly deliveryCount: number;
  /** Extends the ack deadline by a full `ackWaitMs`. The bus already calls it every `ackWaitMs / 3` while the handler runs. */
  working(): void;
  /** Aborted when the consumer has been stopped and its drain time has passed. */
  readonly signal: AbortSignal;
}

export interface PublishWorkOptions {
  /** Within the duplicate window (2 minutes) a second message with the same id is dropped. */
  readonly messageId: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ConsumeWorkOptions {
  /** Consumes all of `jobs.<service>.>`. Letters, digits, `-` and `_`. */
  readonly service: string;
  /** Handlers running at once in this consumer; other consumers of the same service share the rest. */
  readonly maxInFlight: number;
  /** How long after its last sign of life a consumer is taken for dead. Default 30 000, at least 1 000. */
  readonly ackWaitMs?: number;
  /** Deliveries before a message goes to the dead letters, counting those ended by `RetryLater`. Default 5. */
  readonly maxDeliver?: number;
  /** Delay before delivery 2, 3, …; the last one repeats. Default 1 s, 5 s, 30 s, 2 min. */
  readonly backoffMs?: readonly number[];
  /** Told of every handler failure and of every trouble with the broker. Must not throw. */
  readonly onError?: (error: Error) => void;
}

export interface StopOptions {
  /** How long running handlers may finish before their signal is aborted. Default 30 000. */
  readonly drainMs?: number;
}

export interface WorkConsumer {
  /** Takes no new messages, waits for running handlers, aborts the late ones and hands their messages back. */
  stop(options?: StopOptions): Promise<void>;
}

export interface Fact {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface SubscribeFactsOptions {
  /** Ends the subscription when aborted. */
  readonly signal?: AbortSignal;
  /** A name that outlives the process: facts published while nobody by that name listens are delivered later. */
  readonly durable?: string;
}

export interface FactSubscription {
  stop(): Promise<void>;
}

export interface DeadLetter {
  readonly id: string;
  /** Where the message was published, `jobs.<service>.<kind>`. */
  readonly subject: string;
  readonly reason: string;
  readonly payload: Uint8Array;
  readonly headers: ReadonlyMap<string, string>;
  readonly at: Date;
}

export interface PendingWork {
  /** Stored and never delivered. */
  readonly waiting: number;
  /** Delivered and not settled: running, waiting out a retry delay, or held by a consumer that died. */
  readonly inFlight: number;
}

/**
 * Work queues and facts. Two implementations keep this contract, and one test suite holds both to it: `connectJetStream`
 * (stored by a NATS server) and `createInProcessBus` (memory of this process; nothing persists).
 *
 * All methods throw `EventsError`. Delivery is at least once. The truth of a job is its database row, not its message: a
 * broker's ack is not an fsync.
 */
export interface EventBus {
  readonly kind: "jetstream" | "in-process";

  /**
   * Resolves when the message is stored. Retries while the broker is away, up to the publish deadline.
   * Throws `invalid_subject`, `invalid_message`, `payload_too_large`, `queue_full`, `unavailable`, `closed`.
   */
  publishWork(subject: string, payload: Uint8Array, options: PublishWorkOptions): Promise<void>;

  /**
   * Runs `handler` for each message of a service. Resolves → acknowledged, and the acknowledgement confirmed. Throws
   * `RetryLater` → again after its delay; `Reject` → dead letter at once; anything else → again after `backoffMs`, and a
   * dead letter after `maxDeliver` deliveries. A handler that never settles keeps its message as long as its process lives.
   */
  consumeWork(
    options: ConsumeWorkOptions,
    handler: (message: WorkMessage) => Promise<void>,
  ): Promise<WorkConsumer>;

  /** Resolves when the fact is stored. `events.<entity>.<id>.<what>`. */
  publishFact(subject: string, payload: Uint8Array): Promise<void>;

  /**
   * Calls `handler` for each fact that matches `filter` (NATS wildcards: `*` one token, `>` the rest), one at a time and in
   * order. Without `durable`: facts published from now on, and a throwing handler is logged and passed over. With `durable`:
   * everything since the name first subscribed, a throwing handler is called again (5 times at most), and subscribers of the
   * same name share the facts between them.
   */
  subscribeFacts(
    filter: string,
    handler: (fact: Fact) => void | Promise<void>,
    options?: SubscribeFactsOptions,
  ): Promise<FactSubscription>;

  /** Newest first; `limit` defaults to 100. */
  deadLetters(options?: { limit?: number }): Promise<DeadLetter[]>;

  /** Publishes the message anew, with a fresh delivery count, and removes the dead letter. Throws `not_found`. */
  replayDeadLetter(id: string): Promise<void>;

  pending(service: string): Promise<PendingWork>;

  /** Resolves when messages can be stored and delivered right now; otherwise throws `unavailable` or `closed`. */
  ready(): Promise<void>;

  /** Stops every consumer (without drain time) and subscription and releases every handle. */
  close(): Promise<void>;
}
