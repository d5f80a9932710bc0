import { defineTask } from "@cytomesh/service-kit/task";
import { analyse as analyseFile } from "./analyse.ts";

/** Worker-thread tasks of the service. */
export const analyse = defineTask(analyseFile);
