import { defineTask } from "@cytomesh/service-kit/task";
import * as statistics from "./statistics-task.ts";

/** Worker-thread tasks of the service. */
export const moments = defineTask(statistics.moments);

/** See `statistics-task.ts`. */
export const choose = defineTask(statistics.choose);

/** See `statistics-task.ts`. */
export const gram = defineTask(statistics.gram);

/** See `statistics-task.ts`. */
export const fit = defineTask(statistics.fit);
