import { execFile, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { readFile, rename, stat, unlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { ApiError } from "../../errors.ts";
import type { Account } from "./account.ts";
import { isAlive } from "./file-lock.ts";

const run = promisify(execFile);
const POLL_MS = 50;
const STOP_MS = 15_000;
const LOG_BYTES = 16 * 1024 * 1024;

/** A server process of a cluster. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
}

/** What `postmaster.pid` says: line 1 the process id, line 2 the data directory, line 4 the port. */
async function readPidFile(folder: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(folder, "postmaster.pid"), "utf8").catch(() => "");
  const lines = text.split("\n");
  const pid = Number(lines[0]);
  return Number.isInteger(pid) && pid > 0 ? { pid, port: Number(lines[3]) || 0 } : undefined;
}

async function commandLine(pid: number): Promise<string> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", " ");
  } catch {
    return await run("ps", ["-o", "command=", "-p", String(pid)]).then(
      ({ stdout }) => stdout,
      () => "",
    );
  }
}

/** Whether the server answers and says that this folder is its data directory. */
export async function answers(url: string, folder: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query("SHOW data_directory");
    return rows[0]?.data_directory === folder;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * The server that still runs on this folder, for example after a `kill -9` of its parent; undefined when there is none. A
 * `postmaster.pid` whose process is gone or is something else by now is removed.
 */
export async function findPostmaster(
  folder: string,
  urlOf: (port: number) => string,
): Promise<Postmaster | undefined> {
  for (;;) {
    const found = await readPidFile(folder);
    if (found === undefined) return undefined;
    const ours = isAlive(found.pid) && (await commandLine(found.pid)).includes(folder);
    if (!ours) {
      await unlink(join(folder, "postmaster.pid")).catch(() => {});
      return undefined;
    }
    if (found.port > 0 && (await answers(urlOf(found.port), folder))) return found;
    // Starting, recovering or stopping: it becomes one or the other.
    await delay(POLL_MS);
  }
}

export interface SpawnOptions {
  readonly bin: string;
  readonly folder: string;
  readonly account: Account | undefined;
  readonly logFile: string;
  /** Further settings, `name=value`. */
  readonly settings: readonly string[];
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the server on a free loopback port. Throws `database_setup` with the end of its log when it exits. */
export async function spawnPostmaster(
  options: SpawnOptions,
  urlOf: (port: number) => string,
  signal?: AbortSignal,
): Promise<Postmaster> {
  const size = (await stat(options.logFile).catch(() => undefined))?.size ?? 0;
  if (size > LOG_BYTES) await rename(options.logFile, `${options.logFile}.1`);
  for (let triesLeft = 4; ; triesLeft--) {
    const port = await freePort();
    const pid = await spawnOnce(options, port, urlOf, signal);
    if (pid !== undefined) return { pid, port };
    const log = (await readFile(options.logFile, "utf8").catch(() => "")).slice(-2000);
    // Somebody else may have taken the port between the look and the start.
    if (triesLeft > 0 && /could not bind|Address already in use/.test(log)) continue;
    throw new ApiError("database_setup", `Postgres did not start; the end of ${options.logFile}:\n${log}`);
  }
}

async function spawnOnce(
  { bin, folder, account, logFile, settings }: SpawnOptions,
  port: number,
  urlOf: (port: number) => string,
  signal?: AbortSignal,
): Promise<number | undefined> {
  const fixed = [
    `port=${port}`,
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "logging_collector=off",
  ];
  const log = openSync(logFile, "a", 0o600);
  // Detached: an interrupt from the terminal must reach this process first, which stops the server last.
  const child = spawn(
    join(bin, "postgres"),
    ["-D", folder, ...[...fixed, ...settings].flatMap((s) => ["-c", s])],
    {
      detached: true,
      stdio: ["ignore", log, log],
      cwd: "/",
      ...(account && { uid: account.uid, gid: account.gid }),
    },
  );
  closeSync(log);
  child.unref();
  let ended: Error | undefined;
  child.once("error", (error) => {
    ended = error;
  });
  child.once("exit", (code, signalName) => {
    ended ??= new Error(`exit ${code ?? signalName}`);
  });
  while (ended === undefined) {
    if (await answers(urlOf(port), folder)) return child.pid;
    if (signal?.aborted) {
      child.kill("SIGINT");
      signal.throwIfAborted();
    }
    await delay(POLL_MS);
  }
  return undefined;
}

/** Whether the folder still names this process as its server: the number may belong to another process by now. */
function isServer(pid: number, folder: string): boolean {
  try {
    return Number.parseInt(readFileSync(join(folder, "postmaster.pid"), "utf8"), 10) === pid && isAlive(pid);
  } catch {
    return false;
  }
}

/** Asks the server to stop, without waiting. */
export function interruptPostmaster(pid: number, folder: string): void {
  if (isServer(pid, folder)) process.kill(pid, "SIGINT");
}

/** Stops the server at once, as a crash would, and blocks until it is gone. For tests. */
export function killPostmaster(pid: number, folder: string): void {
  if (isServer(pid, folder)) process.kill(pid, "SIGQUIT");
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (const end = Date.now() + STOP_MS; isServer(pid, folder) && Date.now() < end; )
    Atomics.wait(pause, 0, 0, 10);
}

/** Stops the server: open transactions are broken off, committed ones are safe. */
export async function stopPostmaster(pid: number, folder: string): Promise<void> {
  for (const signal of ["SIGINT", "SIGQUIT"] as const) {
    if (!isServer(pid, folder)) return;
    process.kill(pid, signal);
    for (const end = Date.now() + STOP_MS; Date.now() < end && isAlive(pid); ) await delay(POLL_MS);
  }
}
