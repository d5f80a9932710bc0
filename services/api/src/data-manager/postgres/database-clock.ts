import type { Clock } from "../../schemas/runtime.ts";

const SYNC_MS = 30_000;

/** The server's time, as far as this process knows it. */
export interface DatabaseClock {
  readonly now: Clock;
  /** Ask the server again now. Throws what `serverNow` throws. */
  sync(): Promise<void>;
  stop(): void;
}

/**
 * A clock that all replicas over one database share: leases and due times that one of them writes are judged by others, and the clocks
 * of two machines may be further apart than a lease is long. Runs on this process's monotonic time between looks at the server's, so
 * that a step of the machine's own clock does not matter either. `serverNow` asks the server.
 */
export async function openDatabaseClock(
  serverNow: () => Promise<Date>,
  monotonicMs: () => number = () => performance.now(),
): Promise<DatabaseClock> {
  let serverMs = 0;
  let measuredAt = 0;
  const sync = async () => {
    const asked = monotonicMs();
    const answer = await serverNow();
    // In the middle of the round trip, as good as any other guess.
    measuredAt = (asked + monotonicMs()) / 2;
    serverMs = answer.getTime();
  };
  await sync();
  const timer = setInterval(() => void sync().catch(() => undefined), SYNC_MS);
  timer.unref();
  return {
    now: () => new Date(serverMs + (monotonicMs() - measuredAt)),
    sync,
    stop: () => clearInterval(timer),
  };
}
