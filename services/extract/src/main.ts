import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildExtract } from "./dependencies.ts";

/** Start the extract service, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("extract", (tools) => buildExtract(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("extract", start);
