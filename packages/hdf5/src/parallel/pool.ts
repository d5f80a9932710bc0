import { Worker } from "node:worker_threads";
import { Hdf5Error } from "../errors.ts";
import type { Board } from "./board.ts";
import type { ReadJob } from "./read-job.ts";

/** What a worker is asked for; it answers a "read" with an Answer, an "encode" with nothing. */
export type Task = { kind: "encode"; board: Board } | { kind: "read"; job: ReadJob };
export type Answer = { ok: true } | { ok: false; tag: string; message: string };

/** A worker that nobody wanted for so long ends. */
const idleMs = 5_000;

/** One thread, for one user at a time. */
export interface PoolWorker {
  post(task: Task): void;
  /** Posts and waits for the answer; rejects when the thread ends before. */
  ask(task: Task): Promise<Answer>;
  end(): void;
}

/** Idle workers of this thread; each thread that reads or writes in parallel has its own. */
let idle: PoolWorker[] = [];
let timer: NodeJS.Timeout | undefined;

export function takeWorkers(count: number): PoolWorker[] {
  const taken = idle.splice(0, count);
  while (taken.length < count) taken.push(start());
  return taken;
}

export function giveBack(workers: readonly PoolWorker[]): void {
  idle.push(...workers);
  clearTimeout(timer);
  timer = setTimeout(endIdle, idleMs).unref();
}

/** Ends all workers that are idle; those at work end after a while. For who cannot wait, tests for example. */
export function endIdle(): void {
  for (const worker of idle) worker.end();
  idle = [];
}

function start(): PoolWorker {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { name: "cytomesh-hdf5" });
  // It must not keep the process alive; who awaits an answer holds it.
  worker.unref();
  let waiting: { resolve(answer: Answer): void; reject(error: unknown): void } | undefined;
  const self: PoolWorker = {
    post: (task) => worker.postMessage(task),
    ask: (task) =>
      new Promise<Answer>((resolve, reject) => {
        waiting = { resolve, reject };
        worker.ref();
        worker.postMessage(task);
      }).finally(() => worker.unref()),
    end: () => void worker.terminate(),
  };
  const lost = (cause: unknown) => {
    idle = idle.filter((other) => other !== self);
    waiting?.reject(new Hdf5Error("corrupt", `a decoding thread ended: ${String(cause)}`, { cause }));
    waiting = undefined;
  };
  worker.on("message", (answer: Answer) => {
    waiting?.resolve(answer);
    waiting = undefined;
  });
  worker.on("error", lost);
  worker.on("exit", (code) => lost(`exit code ${code}`));
  return self;
}
