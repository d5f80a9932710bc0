import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildTraining } from "./dependencies.ts";

/** Start the training service, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("training", (tools) => buildTraining(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("training", start);
