import { EdgeError } from "../../edge/errors.ts";

/** Lets so many through at a time, in the order they came. */
export interface Gate {
  /**
   * Wait for a place; the answer gives it back.
   *
   * @throws EdgeError `busy` no place came free in time
   */
  enter(signal: AbortSignal): Promise<() => void>;
}

/** Create a gate with a number of places. */
export function createGate(places: number, waitMs: number): Gate {
  let free = places;
  const waiting = new Set<() => void>();
  const leaveOnce = () => {
    let left = false;
    return () => {
      if (left) return;
      left = true;
      const first = waiting.values().next().value;
      if (first === undefined) free++;
      else first();
    };
  };
  return {
    async enter(signal) {
      signal.throwIfAborted();
      if (free > 0) {
        free--;
        return leaveOnce();
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const called = () => {
        waiting.delete(called);
        resolve();
      };
      const giveUp = (reason: unknown) => {
        waiting.delete(called);
        reject(reason);
      };
      const onAbort = () => giveUp(signal.reason);
      const timer = setTimeout(
        () =>
          giveUp(
            new EdgeError("busy", `all ${places} places stayed taken for ${waitMs} ms; try again later`),
          ),
        waitMs,
      );
      waiting.add(called);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        await promise;
        return leaveOnce();
      } finally {
        clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
      }
    },
  };
}
