import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildWorker } from "./dependencies.ts";

/** Start the analysis worker, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("worker", (tools) => buildWorker(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("worker", start);
