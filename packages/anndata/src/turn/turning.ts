import { canonicalRows } from "../canonical.ts";
import {
  type CompressedArrays,
  checkIndices,
  entryBytes,
  readOffsets,
  readValues,
} from "../compressed-arrays.ts";
import { AnnDataError } from "../errors.ts";
import { growingMemory, valueArray } from "../matrix.ts";
import type { CsrRows } from "../types.ts";
import { bucketOffsets, countRows, type Partition, placeColumn, placeRows } from "./partition.ts";
import { planTurn, type TurnLimits, type TurnPlan } from "./plan.ts";
import { readColumnsAndData, readRows, startsOf, type TurnStore, writeStep } from "./store.ts";

/** Turns a matrix that is stored by column round, by steps that any thread with the file open can do. */
export interface Turning {
  plan(limits: TurnLimits): TurnPlan;
  /**
   * Sorts the entries of one step into the store. Every step is to be done once, in any order.
   *
   * @param seen is given the checked rows of the step
   * @throws AnnDataError "invalid" what is wrong with the arrays, "write-failed"
   */
  step(store: TurnStore, step: number, seen?: (rows: Int32Array) => void): void;
  /**
   * Rows `start` to `end`, which lie in one bucket, once all steps are done.
   *
   * @throws AnnDataError "too-large"
   */
  rows(store: TurnStore, start: number, end: number): CsrRows;
}

/** Memory that is used again: of one step, of one piece of a bucket, and of rows where the caller allows it. */
interface Scratch {
  input: [indices: Memory, data: Memory];
  sorted: [rows: Memory, columns: Memory, data: Memory];
  rows: [indices: Memory, data: Memory] | undefined;
}
type Memory = (bytes: number) => Uint8Array<ArrayBuffer>;

export function turningOf(
  arrays: CompressedArrays,
  nRows: number,
  nCols: number,
  limits: { maxBytes: number; reuseRows?: boolean | undefined },
): Turning {
  const wide = valueArray(arrays.dtype, 0) instanceof Float64Array;
  const scratch: Scratch = {
    input: [growingMemory(), growingMemory()],
    sorted: [growingMemory(), growingMemory(), growingMemory()],
    rows: limits.reuseRows === true ? [growingMemory(), growingMemory()] : undefined,
  };
  let offsets: ArrayLike<number> | undefined;
  return {
    plan: (how) => {
      const chunks = [arrays.indices, arrays.data].map((info) => info.chunks?.[0] ?? 1);
      return planTurn({ nRows, nnz: arrays.nnz, wide }, chunks, how);
    },
    step: (store, step, seen) => {
      offsets ??= readOffsets(arrays, 0, nCols);
      const from = step * store.stepEntries;
      const to = Math.min(arrays.nnz, from + store.stepEntries);
      const [rowMemory, dataMemory] = scratch.input;
      const read = arrays.source.read(arrays.indices, from, to, rowMemory((to - from) * 4));
      const rows = checkIndices(arrays, from, read);
      seen?.(rows);
      const data = readValues(arrays, from, to, dataMemory((to - from) * 4));
      writeStep(store, step, sortStep(store, offsets, from, rows, data, scratch));
    },
    rows: (store, start, end) => {
      const bytes = (entries: number) => {
        const taken = entries * entryBytes(arrays);
        if (taken > limits.maxBytes) throw tooLarge(arrays.where, start, end, taken, limits.maxBytes);
      };
      return canonicalRows({ nRows: end - start, nCols, ...gather(store, start, end, scratch, bytes) });
    },
  };
}

export function tooLarge(
  where: string,
  start: number,
  end: number,
  bytes: number,
  most: number,
): AnnDataError {
  return new AnnDataError(
    "too-large",
    `${where}: rows ${start} to ${end} take ${bytes} bytes, the limit is ${most}; ask for fewer`,
  );
}

/** The first column that ends after entry `at`. */
export function columnAt(offsets: ArrayLike<number>, at: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle + 1]! > at) high = middle;
    else low = middle + 1;
  }
  return low;
}

function sortStep(
  { shift, buckets, wide }: TurnStore,
  offsets: ArrayLike<number>,
  from: number,
  rows: Int32Array,
  data: Float32Array | Float64Array,
  { sorted: [rowMemory, columnMemory, dataMemory] }: Scratch,
): Partition {
  const count = rows.length;
  const starts = bucketOffsets(rows, shift, buckets);
  const out: Partition = {
    starts,
    rows: new Uint16Array(rowMemory(count * 2).buffer, 0, count),
    columns: new Int32Array(columnMemory(count * 4).buffer, 0, count),
    data: valuesOver(dataMemory(count * (wide ? 8 : 4)).buffer, wide, count),
  };
  const next = starts.slice();
  for (let column = columnAt(offsets, from), at = 0; at < count; column++) {
    const end = Math.min(count, offsets[column + 1]! - from);
    placeColumn(out, next, rows, data, at, end, column, shift);
    at = end;
  }
  return out;
}

function valuesOver(buffer: ArrayBuffer, wide: boolean, count: number) {
  return wide ? new Float64Array(buffer, 0, count) : new Float32Array(buffer, 0, count);
}

/** Reads the pieces of a bucket twice: to count what every row has, and to put it there. */
function gather(
  store: TurnStore,
  start: number,
  end: number,
  { sorted, rows: rowScratch }: Scratch,
  check: (entries: number) => void,
): Pick<CsrRows, "indptr" | "indices" | "data"> {
  const { shift, steps, wide } = store;
  const bucket = start >>> shift;
  const first = start - bucket * 2 ** shift;
  const pieces: { step: number; from: number; to: number }[] = [];
  let longest = 0;
  for (let step = 0; step < steps; step++) {
    const starts = startsOf(store, step);
    const [from, to] = [starts[bucket]!, starts[bucket + 1]!];
    if (from === to) continue;
    pieces.push({ step, from, to });
    longest = Math.max(longest, to - from);
  }
  const rows = new Uint16Array(sorted[0](longest * 2).buffer, 0, longest);
  const counts = new Uint32Array(2 ** shift);
  for (const { step, from, to } of pieces) {
    readRows(store, step, from, to, rows);
    countRows(rows.subarray(0, to - from), counts);
  }
  const indptr = new Float64Array(end - start + 1);
  for (let row = 0; row < end - start; row++) indptr[row + 1] = indptr[row]! + counts[first + row]!;
  const nnz = indptr[end - start]!;
  check(nnz);
  const indices = new Int32Array(rowScratch?.[0](nnz * 4).buffer ?? new ArrayBuffer(nnz * 4), 0, nnz);
  const width = wide ? 8 : 4;
  const values = valuesOver(rowScratch?.[1](nnz * width).buffer ?? new ArrayBuffer(nnz * width), wide, nnz);
  const next = Uint32Array.from(indptr.subarray(0, end - start));
  const columns = new Int32Array(sorted[1](longest * 4).buffer, 0, longest);
  const data = valuesOver(sorted[2](longest * width).buffer, wide, longest);
  for (const { step, from, to } of pieces) {
    readRows(store, step, from, to, rows);
    readColumnsAndData(store, step, from, to, columns, data);
    placeRows(indices, values, next, first, rows, columns, data, to - from);
  }
  return { indptr, indices, data: values };
}
