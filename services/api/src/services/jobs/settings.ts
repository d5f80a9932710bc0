import type { JobStore } from "../../data-manager/job-store.ts";
import { type Clock, type RandomBytes, randomUnit } from "../../schemas/runtime.ts";

export interface JobSettings {
  /** A running job whose worker is silent for so long is given to another. */
  readonly leaseDurationMs: number;
  /** Delay before the second attempt, before jitter; doubles with each further one. */
  readonly retryBaseMs: number;
  /** Longest delay between attempts. */
  readonly retryCapMs: number;
  /** Attempts of a job that does not say. */
  readonly defaultMaxAttempts: number;
}

export const defaultJobSettings: JobSettings = {
  leaseDurationMs: 30_000,
  retryBaseMs: 1_000,
  retryCapMs: 60_000,
  defaultMaxAttempts: 5,
};

/** What every job operation gets. */
export interface JobContext {
  readonly store: JobStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly settings: JobSettings;
}

/**
 * Milliseconds to wait after the failed attempt number `attempt` (from 1): exponential, between half and all of
 * min(cap, base · 2^(attempt-1)), so that jobs that failed together do not come back together.
 */
export function retryDelayMs(attempt: number, settings: JobSettings, random: RandomBytes): number {
  const full = Math.min(settings.retryCapMs, settings.retryBaseMs * 2 ** Math.min(attempt - 1, 40));
  return Math.round(full * (0.5 + randomUnit(random) / 2));
}
