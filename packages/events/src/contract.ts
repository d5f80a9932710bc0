import { describe, test } from "node:test";
import { consumerContract } from "./contract-consumers.ts";
import { factContract } from "./contract-facts.ts";
import { refusalContract } from "./contract-refusals.ts";
import type { Contract } from "./contract-tools.ts";
import { deadLetterContract, workContract } from "./contract-work.ts";
import type { EventBus } from "./types.ts";

/** The tests every event bus must pass. `make` opens a bus on a fresh store. */
export function describeEventBus(
  name: string,
  make: (o: { dedupeWindowMs?: number }) => Promise<EventBus>,
): void {
  const contract: Contract = (title, body, dedupeWindowMs) => {
    test(title, async () => {
      const bus = await make(dedupeWindowMs === undefined ? {} : { dedupeWindowMs });
      try {
        await body(bus);
      } finally {
        await bus.close();
      }
    });
  };

  // Each test has a bus of its own and mostly waits: side by side they take as long as the longest.
  describe(name, { concurrency: true }, () => {
    workContract(contract);
    consumerContract(contract);
    deadLetterContract(contract);
    factContract(contract);
    refusalContract(contract);
  });
}
