import { type MessagePort, receiveMessageOnPort, type Transferable } from "node:worker_threads";
import { move, transferableSymbol, valueSymbol } from "piscina";

/** What a task in a worker thread is given besides its input. */
export interface TaskContext {
  /** Aborts when the caller gave up; look at it between batches (`await breathe()` lets the message in). */
  readonly signal: AbortSignal;
  /** Tell the caller something while the task runs. */
  progress(message: unknown): void;
  /** Let messages in; call it between batches of synchronous work. */
  breathe(): Promise<void>;
}

/** What crosses the thread boundary, instead of an Error that would lose its fields. */
export interface TaskReply {
  readonly value?: unknown;
  readonly error?: {
    readonly name: string;
    readonly message: string;
    readonly stack: string | undefined;
    readonly tag?: string;
    readonly grpcCode?: string;
    readonly httpStatus?: number;
    readonly violations?: { field: string; description: string }[];
  };
}

/** Input of every task as it travels. */
export interface TaskMessage {
  readonly input: unknown;
  readonly port: MessagePort;
}

/**
 * Wrap a function as a task that a {@link TaskPool} can run. Export it from the worker module under the name the pool calls. `transfer`
 * names buffers of the answer that are handed over instead of copied: nothing in the thread may use them afterwards.
 */
export function defineTask<I, O>(
  run: (input: I, context: TaskContext) => Promise<O> | O,
  transfer?: (value: O) => readonly Transferable[],
): (message: TaskMessage) => Promise<TaskReply> {
  return async ({ input, port }) => {
    const controller = new AbortController();
    const listen = (message: { abort?: string }) => {
      if (message.abort !== undefined) controller.abort(new Error(message.abort));
    };
    // A caller that gave up while the task waited for a thread is heard before any work is done for it.
    const early = receiveMessageOnPort(port);
    if (early !== undefined) listen(early.message);
    port.on("message", listen);
    port.unref();
    try {
      controller.signal.throwIfAborted();
      const value = await run(input as I, {
        signal: controller.signal,
        progress: (message) => port.postMessage(message),
        breathe: () =>
          new Promise((resolve, reject) =>
            setImmediate(() => (controller.signal.aborted ? reject(controller.signal.reason) : resolve())),
          ),
      });
      return transfer === undefined ? { value } : moved({ value }, transfer(value));
    } catch (error) {
      return { error: packError(error) };
    } finally {
      port.close();
    }
  };
}

/** What the pool unwraps on its way to the other thread. */
function moved(reply: TaskReply, buffers: readonly Transferable[]): TaskReply {
  return move({ [transferableSymbol]: buffers, [valueSymbol]: reply } as never) as TaskReply;
}

function packError(error: unknown): NonNullable<TaskReply["error"]> {
  const one = (error instanceof Error ? error : new Error(String(error))) as Error &
    Partial<NonNullable<TaskReply["error"]>>;
  return {
    name: one.name,
    message: one.message,
    stack: one.stack,
    ...(typeof one.tag === "string" ? { tag: one.tag } : {}),
    ...(typeof one.grpcCode === "string" ? { grpcCode: one.grpcCode } : {}),
    ...(typeof one.httpStatus === "number" ? { httpStatus: one.httpStatus } : {}),
    ...(Array.isArray(one.violations) ? { violations: one.violations } : {}),
  };
}
