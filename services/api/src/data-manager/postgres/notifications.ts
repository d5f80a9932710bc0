import pg from "pg";
import type { Logger } from "../../schemas/runtime.ts";

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
// Nothing is ever sent on this connection: without probes the loss of its server would go unnoticed for hours.
const KEEP_ALIVE_MS = 10_000;

/** Names of the channels. Payload of `jobs`: the job's id; of `outbox`: nothing. */
export type Channel = "cytomesh_jobs" | "cytomesh_outbox";

/** What the database calls out, over one connection of its own that comes back by itself. */
export interface Notifications {
  /**
   * `listener` gets the payload, or undefined when calls may have been missed (after a reconnection). It must not throw.
   * Returns the function that ends it.
   */
  subscribe(channel: Channel, listener: (payload: string | undefined) => void): () => void;
  /** Resolves once the connection listens. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

/** LISTEN over a connection of its own, which opens now and reopens when it breaks. */
export function openNotifications(url: string, logger: Logger): Notifications {
  const listeners = new Map<Channel, Set<(payload: string | undefined) => void>>([
    ["cytomesh_jobs", new Set()],
    ["cytomesh_outbox", new Set()],
  ]);
  let client: pg.Client | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let retryMs = FIRST_RETRY_MS;
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => {});

  const lost = (broken: pg.Client, error: unknown) => {
    if (client !== broken) return;
    client = undefined;
    broken.end().catch(() => {});
    if (closed) return;
    logger.warn({ err: error, retryMs }, "the connection that listens for changes broke; opening another");
    timer = setTimeout(connect, retryMs);
    retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS);
  };

  const connect = async () => {
    const fresh = new pg.Client({
      connectionString: url,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      application_name: "cytomesh-listen",
    });
    client = fresh;
    fresh.on("error", (error) => lost(fresh, error));
    fresh.on("end", () => lost(fresh, new Error("the connection ended")));
    fresh.on("notification", ({ channel, payload }) => {
      for (const listener of listeners.get(channel as Channel) ?? []) listener(payload ?? "");
    });
    try {
      await fresh.connect();
      for (const channel of listeners.keys()) await fresh.query(`LISTEN ${channel}`);
      retryMs = FIRST_RETRY_MS;
      first.resolve();
      for (const set of listeners.values()) for (const listener of set) listener(undefined);
    } catch (error) {
      lost(fresh, error);
    }
  };
  void connect();

  return {
    subscribe(channel, listener) {
      const set = listeners.get(channel)!;
      set.add(listener);
      return () => void set.delete(listener);
    },
    ready: () => first.promise,
    async close() {
      closed = true;
      clearTimeout(timer);
      first.reject(new Error("closed before it listened"));
      const last = client;
      client = undefined;
      await last?.end().catch(() => {});
    },
  };
}
