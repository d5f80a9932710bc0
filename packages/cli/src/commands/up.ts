import { choiceOption, defineCommand } from "../command.ts";
import { CliError } from "../errors.ts";
import { resolveDataDir } from "../mesh/data-dir.ts";
import { isFree } from "../mesh/ports.ts";
import { type MeshPorts, standardPorts, startMesh, unusedPorts } from "../mesh/start-mesh.ts";

const logLevels = { trace: "trace", debug: "debug", info: "info", warn: "warn", error: "error" } as const;

/** `cytomesh up`: all services in one process, until it is stopped. */
export const up = defineCommand({
  name: "up",
  usage: "up [--data-dir DIR] [--any-ports]",
  positionals: 0,
  options: {
    "data-dir": {
      type: "string",
      value: "DIR",
      help: "where it keeps its state (CYTOMESH_DATA_DIR, default ~/.cytomesh)",
    },
    "any-ports": { type: "boolean", help: "take free ports instead of the standard ones" },
    "log-level": { type: "string", value: "LEVEL", help: "trace, debug, info, warn, error", default: "warn" },
  },
  async run({ options, signal }) {
    const logLevel = choiceOption("log-level", options["log-level"], logLevels) ?? "warn";
    const ports = options["any-ports"] ? await unusedPorts() : await requireFree(standardPorts());
    const mesh = await startMesh({
      dataDir: resolveDataDir(options["data-dir"]),
      ports,
      logLevel,
      onStarted: (name) => process.stderr.write(`  ${name} is up\n`),
    });
    process.stderr.write(
      [
        "",
        `Cytomesh is up.  Data: ${mesh.dataDir}  Bus: ${mesh.bus}`,
        `  web page and REST   ${mesh.httpUrl}`,
        `  gRPC                ${mesh.edgeAddress}   (cytomesh … --api ${mesh.edgeAddress})`,
        "  stop with Ctrl-C",
        "",
      ].join("\n"),
    );
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    process.stderr.write("stopping …\n");
    await mesh.stop();
  },
});

async function requireFree(ports: MeshPorts): Promise<MeshPorts> {
  const all = [...Object.values(ports.grpc), ...Object.values(ports.health), ports.edge];
  const taken: number[] = [];
  for (const port of all) if (!(await isFree(port))) taken.push(port);
  if (taken.length > 0)
    throw new CliError(
      "failed",
      `port ${taken.join(", ")} is in use: is a mesh already running here? Stop it, or add --any-ports`,
    );
  return ports;
}
