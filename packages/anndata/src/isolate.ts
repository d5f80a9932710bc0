import { Worker } from "node:worker_threads";
import { AnnDataError, type AnnDataErrorTag } from "./errors.ts";
import type { ValidationProblem, ValidationProfile } from "./validation/types.ts";

/** What a file has, told by the thread that opened it. */
export interface IsolatedReport {
  nObs: number;
  nVar: number;
  /** undefined when X is missing or cannot be read; task "validate" says which. */
  x:
    | { format: "csr" | "csc" | "dense"; dtype: string; shape: [number, number]; nnz: number | undefined }
    | undefined;
  hasRaw: boolean;
  obsColumns: string[];
  varColumns: string[];
  layers: string[];
  obsm: string[];
  /** Filled by task "validate". */
  problems: ValidationProblem[];
}

/** Limits of the thread, and what a file is held against. */
export interface IsolateOptions {
  /** Wall-clock limit, default 60,000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** For task "validate": a profile or the name of one; default "minimal". */
  profile?: ValidationProfile | string;
  /** For task "validate": see `ValidateOptions`. */
  entries?: number;
  /** Largest single array, default 512 MiB. */
  maxBytes?: number;
  /** Look only at what stands in this group, for example one modality of a MuData file: "/mod/rna". */
  group?: string;
}

export interface WorkerTask {
  path: string;
  task: "inspect" | "validate";
  profile: ValidationProfile | string;
  entries: number;
  maxBytes: number;
  group: string | undefined;
}

export type WorkerAnswer =
  | { ok: true; report: IsolatedReport }
  | { ok: false; tag: AnnDataErrorTag; message: string };

const defaultTimeoutMs = 60_000;
const defaultMaxBytes = 512 * 1024 * 1024;
/** JavaScript heap of the reader; typed arrays and the memory of the codecs are outside of it, bounded by `maxBytes` per array. */
const resourceLimits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 64, stackSizeMb: 4 };

/**
 * Vets a file in a worker thread of its own, so that one that hangs, traps or eats memory costs a bounded amount of time and
 * nothing else. The worker is ended when the answer is there, the time is up or the signal fires.
 *
 * @throws AnnDataError what `openAnnData` throws, "reader-timeout", "reader-crashed", "cancelled"
 */
export async function runIsolated(
  path: string,
  task: "inspect" | "validate",
  options: IsolateOptions = {},
): Promise<IsolatedReport> {
  const { signal, timeoutMs = defaultTimeoutMs } = options;
  if (signal?.aborted) throw cancelled(path, signal);
  const workerData: WorkerTask = {
    path,
    task,
    profile: options.profile ?? "minimal",
    entries: options.entries ?? Number.POSITIVE_INFINITY,
    maxBytes: options.maxBytes ?? defaultMaxBytes,
    group: options.group,
  };
  const worker = new Worker(new URL("./isolate-worker.ts", import.meta.url), {
    workerData,
    resourceLimits,
    stdout: true,
    stderr: true,
  });
  try {
    const answer = await firstAnswer(worker, path, timeoutMs, signal);
    if (answer.ok) return answer.report;
    throw new AnnDataError(answer.tag, answer.message);
  } finally {
    await worker.terminate();
  }
}

function firstAnswer(
  worker: Worker,
  path: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<WorkerAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<WorkerAnswer>();
  const timer = setTimeout(() => {
    reject(
      new AnnDataError(
        "reader-timeout",
        `${path}: reading it took more than ${timeoutMs} ms and was stopped`,
      ),
    );
  }, timeoutMs);
  const onAbort = () => reject(cancelled(path, signal!));
  signal?.addEventListener("abort", onAbort, { once: true });
  worker.once("message", resolve);
  worker.once("error", (cause) => {
    reject(
      new AnnDataError("reader-crashed", `${path}: the reader died: ${(cause as Error).message}`, { cause }),
    );
  });
  worker.once("exit", (code) =>
    reject(new AnnDataError("reader-crashed", `${path}: the reader exited with code ${code}`)),
  );
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  });
}

function cancelled(path: string, signal: AbortSignal): AnnDataError {
  return new AnnDataError("cancelled", `${path}: reading it was cancelled`, { cause: signal.reason });
}
