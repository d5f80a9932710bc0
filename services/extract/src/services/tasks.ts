import { defineTask } from "@cytomesh/service-kit/task";
import { extract as runExtract } from "./extract-task.ts";
import { prepare as runPrepare } from "./prepare-task.ts";

/** Worker-thread tasks of the service. */
export const prepare = defineTask(runPrepare);

/** See `extract-task.ts`. */
export const extract = defineTask(runExtract);
