import { closeSync } from "node:fs";
import { tmpdir } from "node:os";
import { openNameless, type Room, readAt, writeAt } from "../nameless-file.ts";
import type { Partition, Piece } from "./partition.ts";
import type { TurnPlan } from "./plan.ts";

/**
 * Where sorted steps wait to be read by bucket: memory that threads share, or a file without a name, so that nothing is left behind whatever
 * happens. Plain data that goes to other threads of the process; who made it closes it, once nobody uses it any more.
 */
export interface TurnStore extends TurnPlan {
  /**
   * Per step: where the buckets begin among the entries and among the listed values, buckets + 1 numbers each; the first column; 1 where columns
   * stand apart.
   */
  heads: Int32Array<SharedArrayBuffer>;
  memory: Uint8Array<SharedArrayBuffer> | undefined;
  fd: number | undefined;
  /** Where the file is, for errors. */
  folder: string;
}

/** Bytes of an entry at most: its code, its column, its value. What a step does not need of its place is never written. */
const mostBytes = ({ wide }: TurnPlan): number => 4 + 4 + (wide ? 8 : 4);

/**
 * @param memoryBytes what fits is kept in memory
 * @param folder default: the system's folder for temporary files
 * @throws AnnDataError "write-failed"
 */
export function createTurnStore(plan: TurnPlan, memoryBytes: number, folder = tmpdir()): TurnStore {
  const bytes = plan.nnz * mostBytes(plan);
  const inMemory = bytes <= memoryBytes;
  return {
    ...plan,
    heads: new Int32Array(new SharedArrayBuffer(plan.steps * headLength(plan) * 4)),
    memory: inMemory ? new Uint8Array(new SharedArrayBuffer(bytes)) : undefined,
    fd: inMemory ? undefined : openNameless("cytomesh-turn-", roomOf(plan, folder)),
    folder,
  };
}

/** Frees the file. */
export function closeTurnStore(store: TurnStore): void {
  if (store.fd !== undefined) closeSync(store.fd);
  store.fd = undefined;
}

const headLength = ({ buckets }: TurnPlan): number => 2 * (buckets + 1) + 2;

function headOf(store: TurnStore, step: number) {
  const { buckets } = store;
  const length = headLength(store);
  const all = store.heads.subarray(step * length, (step + 1) * length);
  return {
    starts: all.subarray(0, buckets + 1),
    valueStarts: all.subarray(buckets + 1, 2 * (buckets + 1)),
    rest: all.subarray(2 * (buckets + 1)),
  };
}

/** @throws AnnDataError "write-failed" */
export function writeStep(store: TurnStore, step: number, sorted: Partition): void {
  const { starts, valueStarts, rest } = headOf(store, step);
  starts.set(sorted.starts);
  valueStarts.set(sorted.valueStarts);
  rest.set([sorted.firstColumn, sorted.columns.length > 0 ? 1 : 0]);
  const places = placesOf(store, step);
  write(store, sorted.codes, places.codes);
  write(store, sorted.columns, places.columns);
  write(store, sorted.values, places.values);
}

/** How many entries of a bucket stand in a step. */
export function pieceLength({ heads, ...store }: TurnStore, step: number, bucket: number): number {
  const at = step * headLength(store) + bucket;
  return heads[at + 1]! - heads[at]!;
}

/** Memory for a piece, of at least so many bytes; it is used again for the next. */
export type PieceMemory = Readonly<
  Record<"codes" | "columns" | "values", (bytes: number) => Uint8Array<ArrayBuffer>>
>;

/** Only the codes of a piece: they have the rows. */
export function readCodes(store: TurnStore, step: number, bucket: number, memory: PieceMemory): Int32Array {
  const { starts } = headOf(store, step);
  const [from, to] = [starts[bucket]!, starts[bucket + 1]!];
  const codes = new Int32Array(memory.codes((to - from) * 4).buffer, 0, to - from);
  read(store, codes, placesOf(store, step).codes + from * 4);
  return codes;
}

export function readPiece(store: TurnStore, step: number, bucket: number, memory: PieceMemory): Piece {
  const { starts, valueStarts, rest } = headOf(store, step);
  const places = placesOf(store, step);
  const [from, to] = [starts[bucket]!, starts[bucket + 1]!];
  const apart = rest[1] === 1 ? to - from : 0;
  const columns = new Int32Array(memory.columns(apart * 4).buffer, 0, apart);
  read(store, columns, places.columns + from * 4);
  const [first, last] = [valueStarts[bucket]!, valueStarts[bucket + 1]!];
  const width = store.wide ? 8 : 4;
  const Values = store.wide ? Float64Array : Float32Array;
  const values = new Values(memory.values((last - first) * width).buffer, 0, last - first);
  read(store, values, places.values + first * width);
  return { codes: readCodes(store, step, bucket, memory), columns, values, firstColumn: rest[0]! };
}

/** A step has its place in the file; in it the three lists have theirs. */
function placesOf(store: TurnStore, step: number): Record<"codes" | "columns" | "values", number> {
  const entries = Math.min(store.stepEntries, store.nnz - step * store.stepEntries);
  const codes = step * store.stepEntries * mostBytes(store);
  return { codes, columns: codes + entries * 4, values: codes + entries * 8 };
}

type Numbers = Int32Array | Float32Array | Float64Array;

function write(store: TurnStore, values: Numbers, position: number): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  if (store.memory !== undefined) {
    store.memory.set(bytes, position);
    return;
  }
  writeAt(store.fd!, bytes, position, roomOf(store, store.folder));
}

function read(store: TurnStore, into: Numbers, position: number): void {
  const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
  if (store.memory !== undefined) {
    bytes.set(store.memory.subarray(position, position + bytes.length));
    return;
  }
  readAt(store.fd!, bytes, position);
}

function roomOf(plan: TurnPlan, folder: string): Room {
  const bytes = plan.nnz * mostBytes(plan);
  return { folder, needs: `turning a matrix by column round needs up to ${bytes} bytes for its entries` };
}
