import { setTimeout as sleep } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, errors, type NatsConnection, type NodeConnectionOptions } from "@nats-io/transport-node";
import { asError, EventsError } from "./errors.ts";
import { isSupported, NATS_FLOOR } from "./nats-version.ts";
import type { EventLogger } from "./types.ts";

/** A connection that comes back for ever, and can be waited for. */
export interface Link {
  readonly nc: NatsConnection;
  readonly closing: AbortSignal;
  connected(): boolean;
  /** Resolves when connected; rejects with `closed` when the link is closed or `signal` aborts first. */
  untilConnected(signal?: AbortSignal): Promise<void>;
  /** Calls `listener` whenever the connection is lost or regained; returns how to stop that. */
  onChange(listener: (connected: boolean) => void): () => void;
  close(): Promise<void>;
}

export interface LinkOptions {
  readonly servers: string | readonly string[];
  readonly name: string;
  readonly logger?: EventLogger | undefined;
  /** How long to keep trying for the first connection. Services may start before their broker. Default 30 000. */
  readonly connectTimeoutMs?: number;
}

/** 100 ms doubling to 5 s, with up to a quarter of jitter so that a mesh does not come back in one step. */
export function backoffMs(failures: number): number {
  const base = Math.min(5000, 100 * 2 ** Math.min(failures, 10));
  return base * (0.75 + Math.random() / 4);
}

/** The client takes host:port only; user info and the TLS scheme of a URL are its options. */
export function serverOptions(
  servers: string | readonly string[],
): NodeConnectionOptions & { servers: string[] } {
  const urls = [servers].flat().flatMap((list) => list.split(","));
  const options: NodeConnectionOptions & { servers: string[] } = { servers: [] };
  for (const text of urls.map((u) => u.trim()).filter((u) => u !== "")) {
    const withScheme = /^[a-z+]+:\/\//i.test(text) ? text : `nats://${text}`;
    if (!URL.canParse(withScheme) || !/^(?:nats|tls):/i.test(withScheme)) {
      throw new EventsError(
        "invalid_option",
        "expected NATS servers as nats://host:port or tls://host:port, found something else",
      );
    }
    const url = new URL(withScheme);
    options.servers.push(`${url.hostname}:${url.port || 4222}`);
    if (url.protocol === "tls:") options.tls = {};
    if (url.username && url.password) {
      options.user = decodeURIComponent(url.username);
      options.pass = decodeURIComponent(url.password);
    } else if (url.username) {
      options.token = decodeURIComponent(url.username);
    }
  }
  if (options.servers.length === 0)
    throw new EventsError("invalid_option", "expected at least one NATS server, found none");
  return options;
}

async function firstConnection(
  o: LinkOptions,
  options: NodeConnectionOptions & { servers: string[] },
): Promise<NatsConnection> {
  const deadline = Date.now() + (o.connectTimeoutMs ?? 30_000);
  const where = options.servers.join(", ");
  for (let failures = 0; ; failures++) {
    let nc: NatsConnection | undefined;
    try {
      nc = await connect(options);
      await assertUsable(nc);
      return nc;
    } catch (error) {
      await nc?.close();
      if (error instanceof EventsError) throw error;
      const refused = error instanceof errors.AuthorizationError;
      if (refused || Date.now() >= deadline) {
        const why = refused ? "refused the credentials" : "could not be used";
        throw new EventsError("unavailable", `NATS at ${where} ${why}: ${asError(error).message}`, {
          cause: error,
        });
      }
      if (failures === 0)
        o.logger?.warn({ servers: options.servers, err: asError(error) }, "waiting for NATS");
      await sleep(backoffMs(failures));
    }
  }
}

async function assertUsable(nc: NatsConnection): Promise<void> {
  const { version, jetstream } = nc.info ?? {};
  if (version !== undefined && !isSupported(version)) {
    throw new EventsError(
      "settings_refused",
      `expected nats-server ${NATS_FLOOR} or newer, found ${version} at ${nc.getServer()}`,
    );
  }
  if (jetstream !== true) {
    const recover = "start it with -js, or with a jetstream {} block in its configuration";
    throw new EventsError(
      "settings_refused",
      `expected a NATS server with JetStream, found none at ${nc.getServer()}; ${recover}`,
    );
  }
  // The flag comes before the subsystem answers: ask it something.
  await jetstreamManager(nc);
}

/** Connects, checks version and JetStream, and watches the connection. Throws `unavailable`, `settings_refused`, `invalid_option`. */
export async function openLink(o: LinkOptions): Promise<Link> {
  let attempts = 0;
  const nc = await firstConnection(o, {
    ...serverOptions(o.servers),
    name: o.name,
    maxReconnectAttempts: -1,
    // Credentials may be rotated under a running service: a refused reconnect is tried again, not the end.
    ignoreAuthErrorAbort: true,
    reconnectDelayHandler: () => backoffMs(attempts++),
    timeout: 5000,
    // Half-open connections are noticed in 20 to 30 s; the default takes four minutes.
    pingInterval: 10_000,
    maxPingOut: 2,
  });
  const listeners = new Set<(connected: boolean) => void>();
  const closing = new AbortController();
  let connected = true;

  const change = (now: boolean): void => {
    connected = now;
    if (now) attempts = 0;
    for (const listener of [...listeners]) listener(now);
  };
  const watch = async (): Promise<void> => {
    for await (const status of nc.status()) {
      if (status.type === "disconnect") {
        o.logger?.warn({ server: status.server }, "lost the connection to NATS, reconnecting");
        change(false);
      } else if (status.type === "reconnect") {
        o.logger?.info({ server: status.server }, "connected to NATS again");
        change(true);
      } else if (status.type === "error") {
        o.logger?.error({ err: status.error }, "NATS reported an error");
      }
    }
  };
  void watch();
  void nc.closed().then((error) => {
    if (error && !closing.signal.aborted) o.logger?.error({ err: error }, "the connection to NATS has ended");
    connected = false;
    closing.abort();
  });

  const link: Link = {
    nc,
    closing: closing.signal,
    connected: () => connected,
    untilConnected: (signal) => untilConnected(link, signal),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      closing.abort();
      await nc.close();
    },
  };
  return link;
}

function untilConnected(link: Link, signal: AbortSignal | undefined): Promise<void> {
  const closed = (): EventsError =>
    link.closing.aborted
      ? new EventsError("closed", "the event bus is closed")
      : new EventsError("unavailable", "gave up waiting for the connection to NATS");
  if (link.closing.aborted || signal?.aborted) return Promise.reject(closed());
  if (link.connected()) return Promise.resolve();
  const ends = signal ? AbortSignal.any([signal, link.closing]) : link.closing;
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      off();
      ends.removeEventListener("abort", onAbort);
      settle();
    };
    const onAbort = (): void => finish(() => reject(closed()));
    const off = link.onChange((now) => now && finish(resolve));
    ends.addEventListener("abort", onAbort, { once: true });
  });
}

/**
 * Repeats `attempt` until it succeeds, `deadlineMs` have passed, or `isFinal` says that repeating is no use. Waits for the
 * connection before every attempt. Throws what the first attempt of the last kind threw, or `closed`.
 */
export async function persist<T>(
  link: Link,
  deadlineMs: number,
  attempt: () => Promise<T>,
  isFinal: (error: unknown) => boolean = () => false,
): Promise<T> {
  const endsAt = performance.now() + deadlineMs;
  let failure: unknown;
  for (let failures = 0; ; failures++) {
    const left = endsAt - performance.now();
    if (left <= 0 && failures > 0) throw failure;
    try {
      // A timer only where there is something to wait for: this is the hot path of publishing.
      if (!link.connected()) await link.untilConnected(AbortSignal.timeout(Math.max(0, Math.ceil(left))));
      if (link.closing.aborted) throw new EventsError("closed", "the event bus is closed");
      return await attempt();
    } catch (error) {
      if (link.closing.aborted)
        throw new EventsError("closed", "the event bus is closed", { cause: failure ?? error });
      if (isFinal(error)) throw error;
      // What the broker said is worth more than that we then waited in vain.
      if (failure === undefined || !(error instanceof EventsError)) failure = error;
      const pause = Math.min(backoffMs(failures), Math.max(0, endsAt - performance.now()));
      await sleep(pause, undefined, { signal: link.closing }).catch(() => {});
    }
  }
}
