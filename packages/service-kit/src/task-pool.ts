import { MessageChannel, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { Piscina } from "piscina";
import type { TaskReply } from "./task.ts";

/** An error that a task threw in its worker thread, with the fields it had there. */
export class TaskError extends Error {
  readonly tag: string;
  readonly grpcCode: string;
  readonly httpStatus: number;
  readonly violations: { field: string; description: string }[];

  constructor(packed: NonNullable<TaskReply["error"]>) {
    super(packed.message);
    this.name = packed.name;
    this.tag = packed.tag ?? "internal";
    this.grpcCode = packed.grpcCode ?? "internal";
    this.httpStatus = packed.httpStatus ?? 500;
    this.violations = packed.violations ?? [];
    if (packed.stack !== undefined) this.stack = packed.stack;
  }
}

/** A thread that has nothing to do for so long ends and gives its memory back, in ms; starting another costs about 200 ms. */
const idleTimeoutMs = 4_000;

/**
 * Room for young objects in a thread, MiB: three halves of 8, as the launcher has them for a whole process. V8 takes up to 192 otherwise,
 * keeps the arrays that die there longer, and works no faster. A `--max-semi-space-size` of the process goes before it.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 24 };

// A thread cannot change the environment that native code sees. onnxruntime looks there before it sends data on its use to its maker.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

/** Worker threads for one module of tasks. */
export interface TaskPool {
  /**
   * Run a task. All of its progress is told before the promise settles. Aborting asks the task to stop; it ends when it next looks, so that
   * native code under it is never torn down mid-call.
   *
   * @throws TaskError what the task threw.
   */
  run<O>(
    name: string,
    input: unknown,
    options?: {
      signal?: AbortSignal;
      onProgress?: (message: never) => void;
      transfer?: readonly Transferable[];
    },
  ): Promise<O>;
  readonly threads: number;
  close(): Promise<void>;
}

/**
 * Create a pool over a worker module whose exports were made by `defineTask`. Threads start on demand, and end when they have had nothing to
 * do for a while.
 */
export function createTaskPool(module: URL, options: { threads: number; idleTimeoutMs?: number }): TaskPool {
  const pool = new Piscina({
    filename: module.href,
    minThreads: 0,
    maxThreads: options.threads,
    idleTimeout: options.idleTimeoutMs ?? idleTimeoutMs,
    concurrentTasksPerWorker: 1,
    resourceLimits,
  });
  return {
    threads: options.threads,
    async run<O>(
      name: string,
      input: unknown,
      call: {
        signal?: AbortSignal;
        onProgress?: (message: never) => void;
        transfer?: readonly Transferable[];
      } = {},
    ): Promise<O> {
      call.signal?.throwIfAborted();
      const { port1, port2 } = new MessageChannel();
      const { onProgress } = call;
      if (onProgress !== undefined) port1.on("message", (message) => onProgress(message as never));
      const onAbort = () => port1.postMessage({ abort: String(call.signal?.reason ?? "cancelled") });
      call.signal?.addEventListener("abort", onAbort, { once: true });
      try {
        const reply: TaskReply = await pool.run(
          { input, port: port2 },
          { name, transferList: [port2, ...(call.transfer ?? [])] },
        );
        // The reply comes by another port: messages sent before it may still wait in this one, and closing it would lose them.
        for (let last = receiveMessageOnPort(port1); last !== undefined; last = receiveMessageOnPort(port1))
          onProgress?.(last.message as never);
        if (reply.error !== undefined) {
          call.signal?.throwIfAborted();
          throw new TaskError(reply.error);
        }
        return reply.value as O;
      } finally {
        call.signal?.removeEventListener("abort", onAbort);
        port1.close();
      }
    },
    async close() {
      await pool.destroy();
    },
  };
}
