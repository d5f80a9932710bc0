import { createServer, type Server } from "node:net";

/** Whether a port of this machine is free. */
export async function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  const server = await listening(port, host).catch(() => undefined);
  await close(server);
  return server !== undefined;
}

/**
 * Where free ports are looked for: below those that systems give to outgoing connections (from 32768 or 49152 on), one of which could
 * take a port between the look and the start of its service, or while the service is started again.
 */
const [lowest, highest] = [12_000, 30_000];

/** Free ports, all different: each listens until all are found. */
export async function freePorts(count: number, host = "127.0.0.1"): Promise<number[]> {
  const servers: Server[] = [];
  try {
    for (let tries = 0; servers.length < count; tries++) {
      // Where nearly all of them are taken, or refused, the system chooses.
      const port = tries < count * 20 ? lowest + Math.floor(Math.random() * (highest - lowest)) : 0;
      const server = await listening(port, host).catch((error: unknown) => {
        if (port === 0) throw error;
      });
      if (server !== undefined) servers.push(server);
    }
    return servers.map((server) => (server.address() as { port: number }).port);
  } finally {
    await Promise.all(servers.map(close));
  }
}

function listening(port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

async function close(server: Server | undefined): Promise<void> {
  await new Promise<void>((resolve) => {
    if (server === undefined) resolve();
    else server.close(() => resolve());
  });
}
