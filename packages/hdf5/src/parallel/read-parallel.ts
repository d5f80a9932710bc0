import { closeSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fromHalves } from "@cytomesh/codecs";
import { rowElements } from "../blocks.ts";
import { fromSystemError, Hdf5Error, type Hdf5ErrorTag } from "../errors.ts";
import type { DatasetInfo, H5Numbers, H5Reader, H5Storage, H5Type } from "../types.ts";
import { describeJob } from "./describe-job.ts";
import { giveBack, takeWorkers } from "./pool.ts";
import { type ReadJob, runReadJob } from "./read-job.ts";

/** Which rows, by how many threads. */
export interface ParallelOptions {
  /** First row and the row after the last; default all. */
  start?: number;
  end?: number;
  /** Threads that decode, default as many as the machine runs at a time, at most 8. */
  threads?: number;
  signal?: AbortSignal;
}

/** For `readParallel`. */
export interface WholeOptions extends ParallelOptions {
  /** Memory for the elements as they stand in the file, where it is large enough: for who reads part after part. */
  into?: SharedArrayBuffer | undefined;
}

/** For `readBatches`. */
export interface BatchOptions extends ParallelOptions {
  /**
   * Bytes of values per batch, default 32 MiB; a batch holds whole rows of chunks, at least one, unless these take more than 128 MiB: chunks
   * that are taller are decoded once for every batch that they reach into.
   */
  batchBytes?: number;
}

/** Consecutive rows of a dataset. */
export interface NumberBatch {
  start: number;
  end: number;
  /** Row-major; overwritten once the next batch but one is being decoded, that is, as soon as the next one is asked for. */
  values: H5Numbers;
}

const defaultBatchBytes = 32 * 1024 * 1024;
/** A batch that has to hold whole rows of chunks may be bigger, up to this. */
const mostBatchBytes = 128 * 1024 * 1024;
/** Below this threads cost more than they bring. */
const threadsFromBytes = 1024 * 1024;
const mostThreads = 8;

/**
 * Rows of a dataset of numbers, decoded by several threads into memory that threads may share (a SharedArrayBuffer). What only the
 * fallback engine can read is read by it, here. Worker threads are kept for 5 s and do not keep the process alive.
 *
 * @returns the elements, row-major, in the machine's byte order; 16-bit floats widened
 * @throws Hdf5Error "unsupported" for strings and compounds, "too-large" beyond the reader's `maxBytes`; the reason of the signal
 */
export async function readParallel(
  reader: H5Reader,
  dataset: string,
  options: WholeOptions = {},
): Promise<H5Numbers> {
  const info = reader.dataset(dataset);
  const [start, end] = rowsOf(info, options);
  using plan = openPlan(reader, info, options);
  const target = plan.storage === undefined ? undefined : plan.buffer(end - start, options.into);
  return await plan.read(start, end, target);
}

/**
 * The same rows as consecutive batches, one decoded ahead while the caller works on the one before. Memory is two batches, whatever the
 * size of the dataset.
 *
 * @throws Hdf5Error as `readParallel`
 */
export async function* readBatches(
  reader: H5Reader,
  dataset: string,
  options: BatchOptions = {},
): AsyncGenerator<NumberBatch, void, undefined> {
  const info = reader.dataset(dataset);
  const [first, last] = rowsOf(info, options);
  if (first === last) return;
  using plan = openPlan(reader, info, options);
  const step = batchRows(info, options.batchBytes ?? defaultBatchBytes);
  const rows = Math.min(step, last - first);
  const targets = plan.storage === undefined ? [] : [plan.buffer(rows), plan.buffer(rows)];
  const begin = (start: number, index: number) => {
    const end = Math.min(last, (Math.floor(start / step) + 1) * step);
    const values = plan.read(start, end, targets[index % 2]);
    // Nobody waits for it yet; who asks for the batch gets the error.
    values.catch(() => {});
    return { start, end, values };
  };
  let ahead: ReturnType<typeof begin> | undefined = begin(first, 0);
  try {
    for (let index = 1; ahead !== undefined; index++) {
      const { start, end }: { start: number; end: number } = ahead;
      const values = await ahead.values;
      ahead = end < last ? begin(end, index) : undefined;
      yield { start, end, values };
    }
  } finally {
    plan.cancel();
    await ahead?.values.catch(() => {});
  }
}

function rowsOf(info: DatasetInfo, { start = 0, end }: ParallelOptions): [number, number] {
  const rows = info.shape === undefined ? 0 : (info.shape[0] ?? 1);
  const stop = end ?? rows;
  if (!(Number.isInteger(start) && Number.isInteger(stop) && 0 <= start && start <= stop && stop <= rows)) {
    throw new Hdf5Error(
      "invalid-argument",
      `${info.path}: rows ${start} to ${stop} asked for, it has ${rows}`,
    );
  }
  return [start, stop];
}

function batchRows(info: DatasetInfo, batchBytes: number): number {
  const rowBytes = Math.max(1, rowElements(info.shape ?? []) * info.elementBytes);
  const chunkRows = info.chunks?.[0] ?? 1;
  const rows = Math.floor(batchBytes / rowBytes);
  if (chunkRows * rowBytes > Math.max(batchBytes, mostBatchBytes)) {
    return Math.max(1, Math.floor(Math.max(batchBytes, mostBatchBytes) / rowBytes));
  }
  return Math.max(chunkRows, Math.floor(rows / chunkRows) * chunkRows, 1);
}

interface Plan extends Disposable {
  /** undefined: the fallback engine reads it. */
  storage: H5Storage | undefined;
  /** @throws Hdf5Error "too-large" */
  buffer(rows: number, into?: SharedArrayBuffer): Uint8Array<SharedArrayBuffer>;
  read(start: number, end: number, target: Uint8Array<SharedArrayBuffer> | undefined): Promise<H5Numbers>;
  /** What is being read ends soon, with an error. */
  cancel(): void;
}

function openPlan(reader: H5Reader, info: DatasetInfo, options: ParallelOptions): Plan {
  const { signal } = options;
  const threads = options.threads ?? Math.min(mostThreads, availableParallelism());
  if (!(Number.isInteger(threads) && threads > 0)) {
    throw new Hdf5Error("invalid-argument", `${threads} threads, expected at least 1`);
  }
  const element = numberType(info);
  signal?.throwIfAborted();
  const { shape = [] } = info;
  // The reader itself has scalars and nothing, for which no index is looked at: where nothing is stored, it may be anything.
  const storage = shape.length === 0 || shape.includes(0) ? undefined : reader.storage(info);
  const rowBytes = rowElements(info.shape ?? []) * info.elementBytes;
  const fd = storage === undefined ? undefined : open(reader.path);
  const running = new Set<Int32Array<SharedArrayBuffer>>();
  let cancelled = false;
  const cancel = () => {
    cancelled = true;
    for (const progress of running) Atomics.store(progress, 1, 1);
  };
  signal?.addEventListener("abort", cancel);

  async function run(job: ReadJob): Promise<void> {
    running.add(job.progress);
    if (cancelled) Atomics.store(job.progress, 1, 1);
    const bytes = job.target.length;
    const wanted =
      bytes < threadsFromBytes ? 0 : Math.min(threads, job.table.length / (3 + job.shape.length));
    try {
      if (wanted === 0) runReadJob(job);
      else await runInThreads(job, wanted);
    } finally {
      running.delete(job.progress);
    }
  }

  return {
    storage,
    buffer: (rows, into) => {
      const bytes = rows * rowBytes;
      if (into !== undefined && into.byteLength >= bytes) return new Uint8Array(into, 0, bytes);
      if (bytes <= reader.maxBytes) return new Uint8Array(new SharedArrayBuffer(bytes));
      throw new Hdf5Error(
        "too-large",
        `${info.path}: reading ${rows} rows takes ${bytes} bytes, the limit is ${reader.maxBytes}`,
      );
    },
    read: async (start, end, target) => {
      signal?.throwIfAborted();
      if (storage === undefined || target === undefined) return reader.read(info, start, end) as H5Numbers;
      const place = target.subarray(0, (end - start) * rowBytes);
      const swap = info.bigEndian && info.elementBytes > 1;
      const job = start < end ? describeJob(reader, info, storage, start, end, place, swap, fd!) : undefined;
      if (job !== undefined) await run(job);
      signal?.throwIfAborted();
      return numbers(place, element);
    },
    cancel,
    [Symbol.dispose]: () => {
      signal?.removeEventListener("abort", cancel);
      if (fd !== undefined) closeSync(fd);
    },
  };
}

function open(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw fromSystemError(error, path, "read");
  }
}

async function runInThreads(job: ReadJob, threads: number): Promise<void> {
  const workers = takeWorkers(threads);
  const answers = await Promise.allSettled(workers.map((worker) => worker.ask({ kind: "read", job })));
  giveBack(workers.filter((_, i) => answers[i]!.status === "fulfilled"));
  for (const answer of answers) {
    if (answer.status === "rejected") throw answer.reason;
    if (!answer.value.ok) throw new Hdf5Error(answer.value.tag as Hdf5ErrorTag, answer.value.message);
  }
}

function numberType(info: DatasetInfo): Extract<H5Type, { kind: "int" | "float" }> {
  const { type } = info;
  if (type.kind === "int" || type.kind === "float") return type;
  if (type.kind === "enum") return type.base;
  throw new Hdf5Error("unsupported", `${info.path} holds ${type.kind}s; in parallel only numbers are read`);
}

function numbers(
  { buffer, byteOffset, byteLength }: Uint8Array<SharedArrayBuffer>,
  type: Extract<H5Type, { kind: "int" | "float" }>,
): H5Numbers {
  const length = byteLength / type.size;
  if (type.kind === "float") {
    if (type.size === 2) return fromHalves(new Uint16Array(buffer, byteOffset, length));
    return type.size === 4
      ? new Float32Array(buffer, byteOffset, length)
      : new Float64Array(buffer, byteOffset, length);
  }
  const arrays = type.signed
    ? { 1: Int8Array, 2: Int16Array, 4: Int32Array, 8: BigInt64Array }
    : { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };
  const Type = arrays[type.size] as new (buffer: SharedArrayBuffer, at: number, length: number) => H5Numbers;
  return new Type(buffer, byteOffset, length);
}
