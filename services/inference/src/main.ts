import { isMain } from "@cytomesh/config";
import { runMain } from "@cytomesh/rpc";
import { type RunningService, type StartOptions, startService } from "@cytomesh/service-kit";
import { buildInference } from "./dependencies.ts";

/** Start the inference service, in this process. */
export function start(options: StartOptions = {}): Promise<RunningService> {
  return startService("inference", (tools) => buildInference(tools, options.env), options);
}

if (isMain(import.meta.url)) await runMain("inference", start);
