import { parentPort, workerData } from "node:worker_threads";
import { ZarrError } from "./errors.ts";
import { openZarr } from "./open.ts";
import type { ParallelAnswer, ParallelTask } from "./parallel.ts";

const { source, maxBytes } = workerData as { source: string; maxBytes: number };
let reader: ReturnType<typeof openZarr> | undefined;

/** Part after part until none is left; `next` is shared by all threads. */
function work({ path, start, end, partRows, rowBytes, target, next }: ParallelTask): void {
  reader ??= openZarr(source, { maxBytes });
  const node = reader.node(path);
  if (node?.kind !== "array") throw new ZarrError("not-found", `${source}: there is no array ${path}`);
  const rest = node.shape.slice(1);
  const counter = new Int32Array(next);
  const out = new Uint8Array(target);
  // Parts end where chunks do, so that no chunk is decoded twice.
  const first = Math.floor(start / partRows);
  for (;;) {
    const part = first + Atomics.add(counter, 0, 1);
    const from = Math.max(start, part * partRows);
    const to = Math.min(end, (part + 1) * partRows);
    if (from >= to) return;
    const values = reader.read(path, {
      start: [from, ...rest.map(() => 0)],
      end: [to, ...rest],
    }) as Uint8Array;
    out.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), (from - start) * rowBytes);
  }
}

parentPort!.on("message", (task: ParallelTask) => {
  const answer: ParallelAnswer = {};
  try {
    work(task);
  } catch (error) {
    const { message } = error as Error;
    answer.error = error instanceof ZarrError ? { tag: error.tag, message } : { message };
  }
  parentPort!.postMessage(answer);
});
