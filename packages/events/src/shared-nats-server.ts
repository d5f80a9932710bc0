import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { EventsError } from "./errors.ts";
import { startNatsServer } from "./nats-server.ts";

const JOIN_MS = 15_000;
const PROBE_MS = 2000;

/** Left beside the store by the process that started the server. */
interface Lease {
  readonly url: string;
  readonly serverPid: number;
  readonly serverName: string;
  readonly ownerPid: number;
}

export interface SharedNatsServer {
  readonly url: string;
  /** Whether the server was already running for another process. */
  readonly joined: boolean;
  /** Ends the server if this process answers for it. */
  stop(): Promise<void>;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The name a NATS server gives itself in its greeting, or undefined if nothing of the kind answers. */
function greetedName(url: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  return new Promise((found) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    let text = "";
    const end = (name: string | undefined): void => {
      socket.destroy();
      found(name);
    };
    socket.setTimeout(PROBE_MS, () => end(undefined));
    socket.on("error", () => end(undefined));
    socket.on("close", () => end(undefined));
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n")) end(/"server_name"\s*:\s*"([^"]*)"/.exec(text)?.[1]);
    });
  });
}

async function readLease(file: string): Promise<Lease | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Lease;
  } catch {
    return undefined;
  }
}

async function writeLease(file: string, lease: Lease): Promise<void> {
  await writeFile(`${file}.${process.pid}`, JSON.stringify(lease));
  await rename(`${file}.${process.pid}`, file);
}

async function holderOf(lock: string): Promise<number> {
  return Number(await readFile(lock, "utf8").catch(() => ""));
}

async function tryLock(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Runs `action` while no other process does the same in this folder. A lock whose holder is dead is taken over. */
async function exclusively<T>(lock: string, action: () => Promise<T>): Promise<T> {
  const giveUpAt = performance.now() + JOIN_MS;
  for (let tookOver = false; ; ) {
    if (await tryLock(lock)) {
      if (!tookOver) break;
      // Two may have found the dead holder at once, and the slower removed the lock of the quicker.
      await sleep(100);
      if ((await holderOf(lock)) === process.pid) break;
    }
    const holder = await holderOf(lock);
    tookOver = holder > 0 && !isAlive(holder);
    if (tookOver) {
      await rm(lock, { force: true });
    } else if (performance.now() > giveUpAt) {
      const held = `another process (${holder}) has held ${lock} for ${JOIN_MS / 1000} s`;
      throw new EventsError("server_start", `${held}; end it or remove the file`);
    } else {
      await sleep(50);
    }
  }
  try {
    return await action();
  } finally {
    await rm(lock, { force: true });
  }
}

/** Ends a server whose owner died: by pid, once its greeting has proved that the pid is still that server. */
async function endAdopted(lease: Lease): Promise<void> {
  if ((await greetedName(lease.url)) !== lease.serverName) return;
  process.kill(lease.serverPid, "SIGTERM");
  for (let waited = 0; waited < 10_000 && isAlive(lease.serverPid); waited += 50) await sleep(50);
}

/**
 * The one nats-server of a data folder: started by whoever comes first, joined by the others (two servers on one store
 * would destroy it). Its owner ends it; if the owner died without doing so, the next to come answers for it.
 */
export async function shareNatsServer(o: { bin: string; dir: string }): Promise<SharedNatsServer> {
  const dir = resolve(o.dir);
  await mkdir(dir, { recursive: true });
  const file = join(dir, "server.json");
  return await exclusively(join(dir, "server.lock"), async () => {
    const lease = await readLease(file);
    if (lease && (await greetedName(lease.url)) === lease.serverName) {
      if (lease.ownerPid === process.pid || isAlive(lease.ownerPid)) {
        return { url: lease.url, joined: true, stop: async () => {} };
      }
      const adopted = { ...lease, ownerPid: process.pid };
      await writeLease(file, adopted);
      return {
        url: lease.url,
        joined: true,
        stop: () => endAdopted(adopted).finally(() => rm(file, { force: true })),
      };
    }
    const serverName = `cytomesh-${randomUUID()}`;
    const server = await startNatsServer({ ...o, dir, serverName });
    await writeLease(file, { url: server.url, serverPid: server.pid, serverName, ownerPid: process.pid });
    const stop = async (): Promise<void> => {
      await server.stop();
      await rm(file, { force: true });
    };
    return { url: server.url, joined: false, stop };
  });
}
