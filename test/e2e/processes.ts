import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "@cytomesh/service-kit";
import {
  type Environment,
  type MeshPorts,
  meshEnvironment,
  serviceEnvironment,
} from "../../packages/cli/src/mesh/start-mesh.ts";

export const repoRoot = join(import.meta.dirname, "../..");

/** Every service that runs apart. */
export const serviceNames = [
  "api",
  "ingest",
  "extract",
  "training",
  "inference",
  "imaging",
  "worker",
] as const satisfies ServiceName[];

/** A mesh whose services are processes of their own. */
export interface ProcessMesh {
  readonly ports: MeshPorts;
  start(name: ServiceName): Promise<void>;
  /** SIGKILL: no time to say goodbye. */
  kill9(name: ServiceName): Promise<void>;
  /** SIGTERM; returns the exit code. */
  stop(name: ServiceName): Promise<number | null>;
  stopAll(): Promise<void>;
}

/** Start services as `node services/<name>/src/main.ts`, logs into `<dataDir>/logs`. */
export function processMesh(ports: MeshPorts, dataDir: string, base: Environment): ProcessMesh {
  const environment = meshEnvironment(ports, dataDir, { ...process.env, ...base });
  const running = new Map<ServiceName, ChildProcess>();
  const ended = async (name: ServiceName, signal: NodeJS.Signals) => {
    const child = running.get(name);
    if (child === undefined) return null;
    running.delete(name);
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exit = once(child, "exit");
    child.kill(signal);
    const [code] = (await exit) as [number | null];
    return code;
  };
  return {
    ports,
    async start(name) {
      const child = spawn(process.execPath, [join(repoRoot, "services", name, "src/main.ts")], {
        env: serviceEnvironment(name, ports, environment) as NodeJS.ProcessEnv,
        stdio: ["ignore", "ignore", "pipe"],
        // Only what the environment names: a service must not depend on where it is started.
        cwd: dataDir,
      });
      const log = join(dataDir, `${name}.log`);
      child.stderr?.pipe(createWriteStream(log, { flags: "a" }));
      running.set(name, child);
      await ready(name, ports.health[name], child, log);
    },
    async kill9(name) {
      await ended(name, "SIGKILL");
    },
    stop: (name) => ended(name, "SIGTERM"),
    async stopAll() {
      for (const name of [...serviceNames].reverse()) await ended(name, "SIGTERM");
    },
  };
}

async function ready(name: string, port: number, child: ChildProcess, log: string): Promise<void> {
  let last = "no answer";
  for (let i = 0; i < 300; i++) {
    if (child.exitCode !== null) {
      await sleep(100);
      const said = (await readFile(log, "utf8")).slice(-2_000);
      throw new Error(`${name} ended with code ${child.exitCode} while starting:\n${said}`);
    }
    try {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      last = await response.text();
      if (response.ok) return;
    } catch (error) {
      last = (error as Error).message;
    }
    await sleep(100);
  }
  throw new Error(`${name} is not ready after 30 s: ${last}`);
}

/** Wait for a condition, with a limit in ms. */
export async function until<T>(
  what: string,
  limitMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const end = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`);
    await sleep(25);
  }
}
