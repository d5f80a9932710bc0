import { defineTask } from "@cytomesh/service-kit/task";
import { readRows } from "./read-rows.ts";

/** Read an upload and send its rows through the port that came with the request. */
export const read = defineTask(readRows);
