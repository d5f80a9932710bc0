import { execFile, spawn } from "node:child_process";
import { access, constants, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { asError, EventsError } from "./errors.ts";
import { isSupported, NATS_FLOOR } from "./nats-version.ts";

const run = promisify(execFile);
const USUAL_FOLDERS = ["/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
const START_MS = 10_000;
const STOP_MS = 10_000;

export interface FoundNatsServer {
  readonly path: string;
  readonly version: string;
}

export interface FindNatsServerOptions {
  /** Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Told why a candidate was passed over, and that there was none. */
  readonly onReason?: (reason: string) => void;
}

/**
 * A nats-server ≥ 2.10: `NATS_SERVER_BIN` and nothing else where that is set, otherwise PATH, /usr/sbin, /usr/local/bin,
 * /opt/homebrew/bin. Undefined if there is none.
 */
export async function findNatsServer(
  options: FindNatsServerOptions = {},
): Promise<FoundNatsServer | undefined> {
  const env = options.env ?? process.env;
  const reason = options.onReason ?? (() => {});
  const folders = [...(env.PATH ?? "").split(delimiter).filter((f) => f !== ""), ...USUAL_FOLDERS];
  const chosen = env.NATS_SERVER_BIN?.trim();
  const candidates = chosen
    ? [resolve(chosen)]
    : [...new Set(folders)].map((folder) => join(folder, "nats-server"));
  for (const path of candidates) {
    try {
      await access(path, constants.X_OK);
    } catch {
      if (chosen) reason(`NATS_SERVER_BIN is ${path}, which cannot be executed`);
      continue;
    }
    const version = await versionOf(path);
    if (version !== undefined && isSupported(version)) return { path, version };
    reason(`${path} is ${version ?? "of unknown version"}, need ${NATS_FLOOR} or newer`);
  }
  if (!chosen) reason("no suitable nats-server on PATH or in the usual folders");
  return undefined;
}

async function versionOf(path: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(path, ["-v"], { timeout: 5000 });
    return /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  } catch {
    return undefined;
  }
}

export interface StartNatsServerOptions {
  /** The server's executable. */
  readonly bin: string;
  /** Its folder: configuration, log, and the JetStream store, which must not be used by two servers at once. */
  readonly dir: string;
  /** -1 (default): a free port. */
  readonly port?: number;
  readonly monitorPort?: number;
  /** fsync before every ack: survives power loss, at about a quarter of the speed. Default: the server's, every 2 minutes. */
  readonly syncAlways?: boolean;
  /** Shown to clients; default "cytomesh". */
  readonly serverName?: string;
}

export interface RunningNatsServer {
  readonly url: string;
  readonly pid: number;
  /** Ends the server and waits until it is gone. The store stays. */
  stop(): Promise<void>;
}

const quoted = (text: string): string => JSON.stringify(text);

function configuration(o: StartNatsServerOptions, dir: string): string {
  return [
    `server_name: ${quoted(o.serverName ?? "cytomesh")}`,
    'host: "127.0.0.1"',
    `port: ${o.port ?? -1}`,
    ...(o.monitorPort === undefined ? [] : [`http: "127.0.0.1:${o.monitorPort}"`]),
    `ports_file_dir: ${quoted(dir)}`,
    "jetstream {",
    `  store_dir: ${quoted(dir)}`,
    ...(o.syncAlways ? ["  sync_interval: always"] : []),
    "}",
    "",
  ].join("\n");
}

/** Starts a server on 127.0.0.1 that ends with this process. Throws `server_start` with the end of its log. */
export async function startNatsServer(o: StartNatsServerOptions): Promise<RunningNatsServer> {
  const dir = resolve(o.dir);
  await mkdir(dir, { recursive: true });
  const config = join(dir, "nats-server.conf");
  const logFile = join(dir, "nats-server.log");
  await writeFile(config, configuration(o, dir));
  const log = await open(logFile, "w");
  // Its own process group: Ctrl-C reaches only us, and the broker stays until our consumers have drained.
  const child = spawn(o.bin, ["-c", config], { stdio: ["ignore", log.fd, log.fd], detached: true });
  const gone = new Promise<string>((end) => {
    child.once("error", (error) => end(error.message));
    child.once("exit", (code, signal) => end(`it exited with ${signal ?? `code ${code}`}`));
  });
  let exited: string | undefined;
  void gone.then((how) => {
    exited = how;
  });
  await log.close();
  const pid = child.pid;
  const killNow = (): void => {
    if (exited === undefined) child.kill("SIGTERM");
  };
  process.once("exit", killNow);
  const stop = async (): Promise<void> => {
    process.off("exit", killNow);
    child.ref();
    if (exited === undefined && pid !== undefined) await endProcess(() => child.kill("SIGTERM"), gone, pid);
    if (pid !== undefined) await rm(portsFile(dir, pid), { force: true });
  };
  try {
    const url = await clientUrl(dir, pid, () => exited);
    child.unref();
    return { url, pid: pid!, stop };
  } catch (error) {
    await stop();
    const tail = (await readFile(logFile, "utf8").catch(() => "")).trim().split("\n").slice(-5).join("\n");
    throw new EventsError("server_start", `${o.bin} did not start: ${asError(error).message}\n${tail}`, {
      cause: error,
    });
  }
}

async function endProcess(terminate: () => void, gone: Promise<unknown>, pid: number): Promise<void> {
  const timer = setTimeout(() => process.kill(pid, "SIGKILL"), STOP_MS);
  terminate();
  await gone;
  clearTimeout(timer);
}

/** The server writes its ports here once it listens. */
const portsFile = (dir: string, pid: number): string => join(dir, `nats-server_${pid}.ports`);

async function clientUrl(
  dir: string,
  pid: number | undefined,
  exited: () => string | undefined,
): Promise<string> {
  const giveUpAt = performance.now() + START_MS;
  while (performance.now() < giveUpAt) {
    const how = exited();
    if (how !== undefined) throw new Error(how);
    if (pid !== undefined) {
      const text = await readFile(portsFile(dir, pid), "utf8").catch(() => "");
      const url = /"nats"\s*:\s*\[\s*"([^"]+)"/.exec(text)?.[1];
      if (url !== undefined) return url;
    }
    await sleep(10);
  }
  throw new Error(`it was not listening after ${START_MS / 1000} s`);
}
