import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AnnDataError } from "../errors.ts";
import type { Partition } from "./partition.ts";
import type { TurnPlan } from "./plan.ts";

/**
 * Where sorted steps wait to be read by bucket: memory that threads share, or a file without a name, so that nothing is left behind whatever
 * happens. Plain data that goes to other threads of the process; who made it closes it, once nobody uses it any more.
 */
export interface TurnStore extends TurnPlan {
  /** Where the buckets of every step begin: buckets + 1 numbers per step. */
  starts: Uint32Array<SharedArrayBuffer>;
  memory: Uint8Array<SharedArrayBuffer> | undefined;
  fd: number | undefined;
  /** Where the file is, for errors. */
  folder: string;
}

/** Bytes of an entry: its row in the bucket, its column, its value. */
export const storedBytes = ({ wide }: { wide: boolean }): number => 2 + 4 + (wide ? 8 : 4);

/**
 * @param memoryBytes what fits is kept in memory
 * @param folder default: the system's folder for temporary files
 * @throws AnnDataError "write-failed"
 */
export function createTurnStore(plan: TurnPlan, memoryBytes: number, folder = tmpdir()): TurnStore {
  const bytes = plan.nnz * storedBytes(plan);
  const inMemory = bytes <= memoryBytes;
  const starts = new Uint32Array(new SharedArrayBuffer(plan.steps * (plan.buckets + 1) * 4));
  return {
    ...plan,
    starts,
    memory: inMemory ? new Uint8Array(new SharedArrayBuffer(bytes)) : undefined,
    fd: inMemory ? undefined : namelessFile(folder, bytes),
    folder,
  };
}

/** Frees the file. */
export function closeTurnStore(store: TurnStore): void {
  if (store.fd !== undefined) closeSync(store.fd);
  store.fd = undefined;
}

/** Offsets of the buckets in a step. */
export function startsOf({ starts, buckets }: TurnStore, step: number): Uint32Array<SharedArrayBuffer> {
  return starts.subarray(step * (buckets + 1), (step + 1) * (buckets + 1));
}

/** @throws AnnDataError "write-failed" */
export function writeStep(store: TurnStore, step: number, sorted: Partition): void {
  startsOf(store, step).set(sorted.starts);
  const places = placesOf(store, step);
  write(store, sorted.data, places.data);
  write(store, sorted.columns, places.columns);
  write(store, sorted.rows, places.rows);
}

/** Entries `from` to `to` of a step, into arrays of at least so many. */
export function readRows(store: TurnStore, step: number, from: number, to: number, into: Uint16Array): void {
  read(store, into, to - from, placesOf(store, step).rows + from * 2);
}

/** See `readRows`. */
export function readColumnsAndData(
  store: TurnStore,
  step: number,
  from: number,
  to: number,
  columns: Int32Array,
  data: Float32Array | Float64Array,
): void {
  const places = placesOf(store, step);
  read(store, columns, to - from, places.columns + from * 4);
  read(store, data, to - from, places.data + from * data.BYTES_PER_ELEMENT);
}

/** A step has its place in the file; in it the three lists follow each other. */
function placesOf(store: TurnStore, step: number): { data: number; columns: number; rows: number } {
  const entries = Math.min(store.stepEntries, store.nnz - step * store.stepEntries);
  const data = step * store.stepEntries * storedBytes(store);
  const columns = data + entries * (store.wide ? 8 : 4);
  return { data, columns, rows: columns + entries * 4 };
}

type Numbers = Uint16Array | Int32Array | Float32Array | Float64Array;

function write(store: TurnStore, values: Numbers, position: number): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (store.memory !== undefined) {
    store.memory.set(bytes, position);
    return;
  }
  try {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(store.fd!, bytes, done, bytes.length - done, position + done);
    }
  } catch (error) {
    throw failed(store.folder, store.nnz * storedBytes(store), error);
  }
}

function read(store: TurnStore, into: Numbers, count: number, position: number): void {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, count * into.BYTES_PER_ELEMENT);
  if (store.memory !== undefined) {
    bytes.set(store.memory.subarray(position, position + bytes.length));
    return;
  }
  for (let done = 0; done < bytes.length; ) {
    const got = readSync(store.fd!, bytes, done, bytes.length - done, position + done);
    if (got === 0) throw new AnnDataError("write-failed", "the file of sorted entries ended early");
    done += got;
  }
}

function namelessFile(folder: string, bytes: number): number {
  try {
    const own = mkdtempSync(join(folder, "cytomesh-turn-"));
    try {
      return openSync(join(own, "entries"), "wx+", 0o600);
    } finally {
      rmSync(own, { recursive: true, force: true });
    }
  } catch (error) {
    throw failed(folder, bytes, error);
  }
}

function failed(folder: string, bytes: number, error: unknown): AnnDataError {
  const reason = error instanceof Error ? error.message : String(error);
  return new AnnDataError(
    "write-failed",
    `${folder}: turning a matrix by column round needs ${bytes} bytes for its entries on disk: ${reason}; name another folder with tempDir`,
    { cause: error },
  );
}
