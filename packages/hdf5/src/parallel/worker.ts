import { parentPort } from "node:worker_threads";
import { Hdf5Error } from "../errors.ts";
import { work } from "./board.ts";
import type { Answer, Task } from "./pool.ts";
import { runReadJob } from "./read-job.ts";

const port = parentPort!;

port.on("message", (task: Task) => {
  if (task.kind === "encode") {
    work(task.board);
    return;
  }
  port.postMessage(answer(() => runReadJob(task.job)));
});

function answer(call: () => void): Answer {
  try {
    call();
    return { ok: true };
  } catch (error) {
    const tag = error instanceof Hdf5Error ? error.tag : "corrupt";
    return { ok: false, tag, message: error instanceof Error ? error.message : String(error) };
  }
}
