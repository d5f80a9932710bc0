import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildIngest } from "./dependencies.ts";

/** Start the ingest service, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("ingest", (tools) => buildIngest(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("ingest", start);
