import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { asNumbers } from "./codecs/numbers.ts";
import { ZarrError, type ZarrErrorTag } from "./errors.ts";
import { elementBytes } from "./meta/type.ts";
import { defaultMaxBytes, openZarr } from "./open.ts";
import type { ReadOptions, ZarrArray, ZarrValues } from "./types.ts";

/** Rows are handed out in parts of about this size, of whole chunks. */
const partBytes = 8 * 1024 * 1024;
/** Below this, starting threads costs more than they save. */
const leastBytes = 16 * 1024 * 1024;

/** Rows of arrays, read by several threads. */
export interface ParallelReader {
  /**
   * Rows `start` to `end` of an array, decoded by several threads. Numbers and booleans come over shared memory; other types, and what is
   * small, are read by the calling thread.
   *
   * @throws ZarrError as `ZarrReader.read`, and "cancelled"
   */
  read(path: string, start?: number, end?: number, options?: ParallelReadOptions): Promise<ZarrValues>;
  /** Ends the threads. */
  close(): Promise<void>;
  /** `close`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** For one read. */
export interface ParallelReadOptions {
  signal?: AbortSignal | undefined;
  /** Memory for what threads read, where it is large enough: for who reads part after part. */
  into?: SharedArrayBuffer | undefined;
}

/** What a thread is told: rows by parts, of which it takes one after the other by counting `next` up. */
export interface ParallelTask {
  path: string;
  start: number;
  end: number;
  partRows: number;
  rowBytes: number;
  target: SharedArrayBuffer;
  next: SharedArrayBuffer;
}

export interface ParallelAnswer {
  error?: { tag?: ZarrErrorTag; message: string };
}

/** How many threads, and how much they may read. */
export interface ParallelOptions extends ReadOptions {
  /** Default: one for each core. */
  threads?: number;
}

/**
 * A hierarchy in a folder or zip file, read by threads that are started when first needed and kept until `close`. One read at a time.
 *
 * @throws ZarrError as `openZarr`
 */
export function openParallel(source: string, options: ParallelOptions = {}): ParallelReader {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const reader = openZarr(source, { maxBytes });
  const threads = options.threads ?? availableParallelism();
  let workers: Worker[] = [];
  let before: Promise<unknown> = Promise.resolve();

  const start = (): Worker[] => {
    while (workers.length < threads) {
      const worker = new Worker(new URL("./parallel-worker.ts", import.meta.url), {
        workerData: { source, maxBytes },
      });
      worker.unref();
      workers.push(worker);
    }
    return workers;
  };

  const readNow = async (
    path: string,
    from: number | undefined,
    to: number | undefined,
    { signal, into }: ParallelReadOptions,
  ): Promise<ZarrValues> => {
    const array = reader.node(path);
    if (array?.kind !== "array" || array.shape.length === 0) return reader.read(path);
    const [first, last] = [from ?? 0, to ?? array.shape[0]!];
    const task = taskFor(array, first, last, maxBytes, into);
    if (task === undefined || threads < 2) {
      const rest = array.shape.slice(1);
      return reader.read(path, { start: [first, ...rest.map(() => 0)], end: [last, ...rest] });
    }
    try {
      await Promise.all(start().map((worker) => run(worker, task, signal)));
    } catch (error) {
      // The other threads may still be writing; they are of no more use.
      await stop();
      throw error;
    }
    const bytes = (last - first) * task.rowBytes;
    return asNumbers(new Uint8Array(task.target, 0, bytes), array.type);
  };

  const stop = async (): Promise<void> => {
    const ended = workers;
    workers = [];
    await Promise.all(ended.map((worker) => worker.terminate()));
  };

  const close = async (): Promise<void> => {
    await stop();
    reader.close();
  };

  return {
    read(path, from, to, options = {}) {
      const result = before.then(() => readNow(path, from, to, options));
      before = result.catch(() => {});
      return result;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** undefined where threads do not pay or cannot help; the calling thread then says what is wrong, too. */
function taskFor(
  array: ZarrArray,
  start: number,
  end: number,
  maxBytes: number,
  into: SharedArrayBuffer | undefined,
): ParallelTask | undefined {
  const { type, shape, chunks, path } = array;
  const plain = type.kind === "int" || type.kind === "bool" || (type.kind === "float" && type.size > 2);
  const rowBytes = shape.slice(1).reduce((product, side) => product * side, elementBytes(type) ?? 0);
  const bytes = (end - start) * rowBytes;
  const valid = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end <= shape[0]!;
  if (!plain || !valid || !(bytes >= leastBytes) || bytes > maxBytes) return undefined;
  const chunkRows = chunks[0]!;
  const partRows = Math.max(1, Math.round(partBytes / (chunkRows * rowBytes))) * chunkRows;
  return {
    path,
    start,
    end,
    partRows,
    rowBytes,
    target: into !== undefined && into.byteLength >= bytes ? into : new SharedArrayBuffer(bytes),
    next: new SharedArrayBuffer(4),
  };
}

function run(worker: Worker, task: ParallelTask, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      worker.off("message", onMessage).off("error", onError).off("exit", onExit).unref();
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onMessage = ({ error }: ParallelAnswer): void =>
      settle(error && new ZarrError(error.tag ?? "corrupt", error.message));
    const onError = (error: unknown): void => settle(error);
    const onExit = (code: number): void =>
      settle(new ZarrError("corrupt", `a reading thread ended with ${code}`));
    const onAbort = (): void =>
      settle(new ZarrError("cancelled", "reading was cancelled", { cause: signal?.reason }));
    worker.ref();
    worker.on("message", onMessage).on("error", onError).on("exit", onExit);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
    else worker.postMessage(task);
  });
}
