import { asError } from "./errors.ts";

/** Thrown by a work handler: nothing is wrong with the message, deliver it again after the delay (default: the back-off). */
export class RetryLater extends Error {
  override readonly name = "RetryLater";
  readonly delayMs: number | undefined;

  constructor(message: string, options: { delayMs?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.delayMs = options.delayMs;
  }
}

/** Thrown by a work handler: no retry can help, put the message among the dead letters with this reason. */
export class Reject extends Error {
  override readonly name = "Reject";
}

export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "retry"; readonly delayMs: number }
  | { readonly kind: "dead"; readonly reason: string };

export interface RetryPolicy {
  readonly maxDeliver: number;
  readonly backoffMs: readonly number[];
}

/** A reason travels in a message header, so it is one line of bounded length. */
const REASON_CHARACTERS = 1000;

export function reasonText(error: Error): string {
  const named =
    error.name === "Error" || error.name === "Reject" ? error.message : `${error.name}: ${error.message}`;
  // Lone surrogates and control characters cannot cross the wire as a header.
  const line =
    named
      .toWellFormed()
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
      .trim() || "no reason given";
  return line.length > REASON_CHARACTERS ? `${line.slice(0, REASON_CHARACTERS).toWellFormed()}…` : line;
}

function backoff(policy: RetryPolicy, deliveryCount: number): number {
  const last = policy.backoffMs.length - 1;
  return policy.backoffMs[Math.min(deliveryCount - 1, last)] ?? 0;
}

/** What becomes of a message whose handler threw. */
export function outcomeOfFailure(thrown: unknown, deliveryCount: number, policy: RetryPolicy): Outcome {
  const error = asError(thrown);
  if (error instanceof Reject) return { kind: "dead", reason: reasonText(error) };
  if (deliveryCount >= policy.maxDeliver) {
    return {
      kind: "dead",
      reason: `failed on delivery ${deliveryCount} of ${policy.maxDeliver}: ${reasonText(error)}`,
    };
  }
  const asked = error instanceof RetryLater ? error.delayMs : undefined;
  const delayMs = asked ?? backoff(policy, deliveryCount);
  return { kind: "retry", delayMs: Number.isFinite(delayMs) ? Math.max(0, Math.round(delayMs)) : 0 };
}

/**
 * A message that comes up more often than `maxDeliver` was never settled by its consumers: they died, or went silent. Counted
 * here, by whoever gets it next, and not by the server's own `max_deliver`: that one only announces the fact once, on a
 * subject nobody may be listening to, and leaves the message stranded in the queue.
 */
export function outcomeBeforeHandling(deliveryCount: number, policy: RetryPolicy): Outcome | undefined {
  if (deliveryCount <= policy.maxDeliver) return undefined;
  const reason = `delivered ${policy.maxDeliver} times and never settled: its consumer died or lost its ack deadline on the last delivery`;
  return { kind: "dead", reason };
}
