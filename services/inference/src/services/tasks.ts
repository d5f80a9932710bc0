import { defineTask } from "@cytomesh/service-kit/task";
import { build } from "./build-index-task.ts";
import { embedBin as runEmbedBin } from "./embed-task.ts";
import * as neighbors from "./neighbor-tasks.ts";
import * as queries from "./query-tasks.ts";

/** Worker-thread tasks of the service: everything that runs a model or looks through an index. */
export const embedBin = defineTask(runEmbedBin);

/** See `build-index-task.ts`. */
export const buildIndex = defineTask(build);

/** See `query-tasks.ts`. */
export const begin = defineTask(queries.begin);

/** See `query-tasks.ts`. */
export const embedCells = defineTask(queries.embedCells);

/** See `neighbor-tasks.ts`. */
export const searchCells = defineTask(neighbors.searchCells);

/** See `neighbor-tasks.ts`. */
export const annotateCells = defineTask(neighbors.annotateCells);
