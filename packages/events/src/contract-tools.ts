import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConsumeWorkOptions, EventBus, WorkMessage } from "./types.ts";

/** Declares one test of the contract, which gets an open bus on a fresh store. */
export type Contract = (
  title: string,
  body: (bus: EventBus) => Promise<void>,
  dedupeWindowMs?: number,
) => void;

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);

/** Polls until `condition` holds; the bound only ends a test that would otherwise hang. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (await condition()) return;
    await sleep(10);
  }
  assert.fail(`never happened: ${what}`);
}

/** A handler that records what it was given, for tests of any bus. */
export function recorder(act: (message: WorkMessage) => void | Promise<void> = () => {}): {
  readonly seen: WorkMessage[];
  readonly texts: () => string[];
  readonly handler: (message: WorkMessage) => Promise<void>;
} {
  const seen: WorkMessage[] = [];
  return {
    seen,
    texts: () => seen.map((m) => text(m.payload)),
    async handler(message) {
      seen.push(message);
      await act(message);
    },
  };
}

export const fast = (service: string, more: Partial<ConsumeWorkOptions> = {}): ConsumeWorkOptions => ({
  service,
  maxInFlight: 4,
  ackWaitMs: 10_000,
  backoffMs: [20],
  ...more,
});

export async function publishAll(bus: EventBus, service: string, names: string[]): Promise<void> {
  for (const name of names)
    await bus.publishWork(`jobs.${service}.go`, bytes(name), { messageId: `${service}:${name}` });
}

export const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);
