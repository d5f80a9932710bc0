import { asError, EventsError } from "./errors.ts";
import type { Link } from "./jetstream-link.ts";
import type { StopOptions } from "./types.ts";

/** How long closing waits for outcomes to be reported. */
const CLOSE_MS = 3000;

export interface Stoppable {
  stop(options?: StopOptions): Promise<void>;
}

/** What every method of the bus needs: to be refused once the bus is closed, one kind of error, and an end to what it started. */
export interface Guard {
  /** Runs `run`; whatever the client library throws becomes `unavailable`, or `closed`. `what` completes "NATS failed to". */
  guarded<T>(what: string, run: () => Promise<T>): Promise<T>;
  /** Remembers what runs, so that `close` ends it; stopping it twice is fine. */
  kept(running: Stoppable): Promise<Stoppable>;
  close(): Promise<void>;
}

export function createGuard(link: Link): Guard {
  const open = new Set<Stoppable>();
  let closed: Promise<void> | undefined;

  const assertOpen = (): void => {
    if (closed || link.closing.aborted) throw new EventsError("closed", "the event bus is closed");
  };
  const closeAll = async (): Promise<void> => {
    // Outcomes are still reported if there is somebody to hear them, but nobody waits for a broker that is away.
    const patience = setTimeout(() => void link.close(), link.connected() ? CLOSE_MS : 0);
    await Promise.all([...open].map((running) => running.stop({ drainMs: 0 })));
    clearTimeout(patience);
    await link.close();
  };

  return {
    async guarded(what, run) {
      assertOpen();
      try {
        return await run();
      } catch (error) {
        if (error instanceof EventsError) throw error;
        assertOpen();
        throw new EventsError("unavailable", `NATS failed to ${what}: ${asError(error).message}`, {
          cause: error,
        });
      }
    },

    async kept(running) {
      if (closed) {
        await running.stop({ drainMs: 0 });
        assertOpen();
      }
      const handle: Stoppable = {
        async stop(options) {
          if (open.delete(handle)) await running.stop(options);
        },
      };
      open.add(handle);
      return handle;
    },

    close() {
      closed ??= closeAll();
      return closed;
    },
  };
}
