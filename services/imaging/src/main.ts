import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildImaging } from "./dependencies.ts";

/** Start the imaging service, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("imaging", (tools) => buildImaging(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("imaging", start);
