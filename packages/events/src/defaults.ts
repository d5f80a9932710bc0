import { EventsError } from "./errors.ts";
import { checkName } from "./subjects.ts";
import type { ConsumeWorkOptions } from "./types.ts";

/** Published ids are remembered this long. NATS' own default; longer costs the server memory per message. */
export const DEDUPE_WINDOW_MS = 120_000;
/** NATS servers refuse more than this by default (`max_payload`); payload and headers together. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;
/** Kept free in every message for what a dead letter adds to it: reason and ids. */
export const MESSAGE_RESERVE_BYTES = 8 * 1024;
/** A job's message is a few hundred bytes, so this is room for about half a million. */
export const JOBS_BYTES = 256 * 1024 * 1024;
export const FACTS_BYTES = 128 * 1024 * 1024;
export const FACTS_AGE_MS = 7 * 24 * 3_600_000;
export const DEAD_BYTES = 128 * 1024 * 1024;
export const DEAD_AGE_MS = 30 * 24 * 3_600_000;
export const DEAD_LETTERS_LISTED = 100;
export const DRAIN_MS = 30_000;
/** After its signal was aborted a handler gets this long to notice before its message is handed back without it. */
export const ABORT_GRACE_MS = 1000;
export const FACT_ATTEMPTS = 5;
export const FACT_RETRY_MS = [200, 1000, 5000] as const;

export interface WorkSettings {
  readonly service: string;
  readonly maxInFlight: number;
  readonly ackWaitMs: number;
  readonly maxDeliver: number;
  readonly backoffMs: readonly number[];
  readonly onError: (error: Error) => void;
}

function wholeNumber(what: string, value: number, min: number): number {
  if (!Number.isSafeInteger(value) || value < min) {
    throw new EventsError(
      "invalid_option",
      `expected ${what} to be a whole number of at least ${min}, found ${value}`,
    );
  }
  return value;
}

/** Checks how many dead letters were asked for. */
export const deadLetterLimit = (limit: number): number => wholeNumber("limit", limit, 1);

/** Fills in and checks what a consumer of work was given. */
export function workSettings(options: ConsumeWorkOptions): WorkSettings {
  checkName("a service name", options.service);
  const backoffMs = options.backoffMs ?? [1000, 5000, 30_000, 120_000];
  for (const delay of backoffMs) wholeNumber("every backoffMs", delay, 0);
  return {
    service: options.service,
    maxInFlight: wholeNumber("maxInFlight", options.maxInFlight, 1),
    // Below a second the heartbeats would come too close to the scheduling noise of a busy machine.
    ackWaitMs: wholeNumber("ackWaitMs", options.ackWaitMs ?? 30_000, 1000),
    maxDeliver: wholeNumber("maxDeliver", options.maxDeliver ?? 5, 1),
    backoffMs,
    onError: options.onError ?? (() => {}),
  };
}
