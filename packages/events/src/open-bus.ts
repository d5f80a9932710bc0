import { join } from "node:path";
import { createInProcessBus } from "./in-process-bus.ts";
import { connectJetStream, type JetStreamBusOptions } from "./jetstream-bus.ts";
import { serverOptions } from "./jetstream-link.ts";
import { type FindNatsServerOptions, findNatsServer } from "./nats-server.ts";
import { NATS_FLOOR } from "./nats-version.ts";
import { shareNatsServer } from "./shared-nats-server.ts";
import type { EventBus, EventLogger } from "./types.ts";

export interface OpenBusOptions {
  /** `NATS_URL`: used, and nothing else tried, when given. */
  readonly natsUrl?: string | undefined;
  /** A server that is started keeps its store in `<dataDir>/nats`. */
  readonly dataDir: string;
  readonly name: string;
  readonly logger: EventLogger;
  /** What else a JetStream bus can be told. */
  readonly jetStream?: Pick<JetStreamBusOptions, "streamPrefix" | "replicas" | "limits" | "connectTimeoutMs">;
  /** Where to look for a server; default `process.env`. */
  readonly env?: FindNatsServerOptions["env"];
}

export interface OpenBus {
  readonly bus: EventBus;
  /** One line for the start log and for `doctor`. */
  readonly description: string;
  /** Closes the bus, and ends the server if it was started here. */
  stop(): Promise<void>;
}

const INSTALL_HINT = `install nats-server ${NATS_FLOOR} or newer (Debian 13+/Ubuntu: apt-get install nats-server; macOS: brew install nats-server), or set NATS_URL or NATS_SERVER_BIN`;

/**
 * The bus this machine can offer: `natsUrl`, else a nats-server found and started (or joined, if another process of the same
 * data folder runs it), else the in-process bus, with a warning. Throws `unavailable`, `settings_refused`, `server_start`.
 */
export async function openBus(o: OpenBusOptions): Promise<OpenBus> {
  const options = { ...o.jetStream, name: o.name, logger: o.logger };
  if (o.natsUrl) {
    const bus = await connectJetStream({ ...options, servers: o.natsUrl });
    return {
      bus,
      description: `NATS at ${serverOptions(o.natsUrl).servers.join(", ")}`,
      stop: () => bus.close(),
    };
  }
  const reasons: string[] = [];
  const found = await findNatsServer({
    ...(o.env && { env: o.env }),
    onReason: (reason) => reasons.push(reason),
  });
  if (!found) {
    const description =
      "in-process event bus: one process alone, messages are not kept (jobs are, in the database)";
    o.logger.warn({ reasons }, `${description}; ${INSTALL_HINT}`);
    const bus = createInProcessBus({ logger: o.logger });
    return { bus, description, stop: () => bus.close() };
  }
  const server = await shareNatsServer({ bin: found.path, dir: join(o.dataDir, "nats") });
  try {
    const bus = await connectJetStream({ ...options, servers: server.url });
    const how = server.joined ? "already running" : "started here";
    const description = `nats-server ${found.version} (${found.path}), ${how}, at ${server.url}`;
    o.logger.info({ url: server.url, version: found.version, joined: server.joined }, description);
    const stop = async (): Promise<void> => {
      await bus.close();
      await server.stop();
    };
    return { bus, description, stop };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
