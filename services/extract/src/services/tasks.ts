import { defineTask } from "@cytomesh/service-kit/task";
import * as extract from "./extract-task.ts";
import { prepare as runPrepare } from "./prepare-task.ts";

/** Worker-thread tasks of the service. */
export const prepare = defineTask(runPrepare);

/** The steps of an extraction, see `write-bins.ts`. */
export const open = defineTask(extract.open);
export const group = defineTask(extract.group);
export const deal = defineTask(extract.deal);
export const write = defineTask(extract.write);
