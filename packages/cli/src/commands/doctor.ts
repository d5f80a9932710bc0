import { constants } from "node:fs";
import { access, mkdir, statfs } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { findNatsServer } from "@cytomesh/events";
import { defaultPorts } from "@cytomesh/service-kit";
import { connectMesh } from "../client.ts";
import { defineCommand, meshOptions } from "../command.ts";
import { resolveDataDir } from "../mesh/data-dir.ts";
import { isFree } from "../mesh/ports.ts";
import { formatSize } from "../terminal/text.ts";

interface Finding {
  readonly level: "ok" | "note" | "problem";
  readonly text: string;
}

/** `cytomesh doctor`: what this machine has, and what is in the way. */
export const doctor = defineCommand({
  name: "doctor",
  usage: "doctor",
  positionals: 0,
  options: {
    api: meshOptions.api,
    "data-dir": { type: "string", value: "DIR", help: "data directory to check" },
  },
  async run({ options }) {
    const dataDir = resolveDataDir(options["data-dir"]);
    const findings = [
      runtime(),
      await storage(dataDir),
      database(),
      await bus(),
      await ports(),
      await running(options.api),
    ];
    const signs = { ok: "✔", note: "·", problem: "✖" } as const;
    for (const { level, text } of findings.flat()) process.stdout.write(`${signs[level]} ${text}\n`);
    if (findings.flat().some(({ level }) => level === "problem")) process.exitCode = 1;
  },
});

function runtime(): Finding[] {
  return [
    {
      level: "ok",
      text: `Node ${process.versions.node}, ${availableParallelism()} cores, ${formatSize(totalmem())} memory`,
    },
  ];
}

async function storage(dataDir: string): Promise<Finding[]> {
  try {
    await mkdir(dataDir, { recursive: true });
    await access(dataDir, constants.W_OK);
    const { bavail, bsize } = await statfs(dataDir);
    const free = bavail * bsize;
    return [
      {
        level: free < 1024 ** 3 ? "problem" : "ok",
        text: `data directory ${dataDir}, ${formatSize(free)} free${free < 1024 ** 3 ? ": too little to ingest anything" : ""}`,
      },
    ];
  } catch (error) {
    return [{ level: "problem", text: `data directory ${dataDir}: ${(error as Error).message}` }];
  }
}

function database(): Finding[] {
  const url = process.env.DATABASE_URL;
  return [
    url === undefined || url === ""
      ? { level: "ok", text: "Postgres: embedded, in the data directory (set DATABASE_URL for your own)" }
      : { level: "ok", text: "Postgres: the one in DATABASE_URL" },
  ];
}

async function bus(): Promise<Finding[]> {
  if (process.env.NATS_URL) return [{ level: "ok", text: "event bus: the NATS in NATS_URL" }];
  const found = await findNatsServer();
  return [
    found === undefined
      ? {
          level: "note",
          text: "event bus: in process (no nats-server ≥ 2.10 on this machine). Fine for one process; jobs survive restarts in Postgres. Install nats-server, or set NATS_URL, to run services apart",
        }
      : { level: "ok", text: `event bus: nats-server ${found.version} at ${found.path}` },
  ];
}

async function ports(): Promise<Finding[]> {
  const wanted = [...Object.values(defaultPorts).flatMap(({ grpc, health }) => [grpc, health]), 7401];
  const taken: number[] = [];
  for (const port of wanted) if (!(await isFree(port))) taken.push(port);
  return [
    taken.length === 0
      ? { level: "ok", text: `standard ports ${Math.min(...wanted)}–${Math.max(...wanted)} are free` }
      : {
          level: "note",
          text: `ports in use: ${taken.join(", ")} (a mesh that runs already, or cytomesh up --any-ports)`,
        },
  ];
}

async function running(api: string | undefined): Promise<Finding[]> {
  const mesh = connectMesh(api);
  try {
    const { version, services } = await mesh.mesh.getMeshStatus({}, { timeoutMs: 2_000 });
    const away = services.filter((one) => !one.serving).map((one) => one.name);
    return [
      away.length === 0
        ? {
            level: "ok",
            text: `a mesh (${version}) answers at ${mesh.target}, all ${services.length} services serve`,
          }
        : {
            level: "problem",
            text: `a mesh (${version}) answers at ${mesh.target}, but these do not serve: ${away.join(", ")}`,
          },
    ];
  } catch {
    return [{ level: "note", text: `no mesh answers at ${mesh.target} (cytomesh up starts one)` }];
  } finally {
    mesh.close();
  }
}
