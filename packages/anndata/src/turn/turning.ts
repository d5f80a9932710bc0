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
import {
  bucketOffsets,
  countCodes,
  type Partition,
  placeColumn,
  placeColumnApart,
  placeRows,
  valueBits,
} from "./partition.ts";
import { planTurn, type TurnLimits, type TurnPlan } from "./plan.ts";
import { type PieceMemory, pieceLength, readCodes, readPiece, type TurnStore, writeStep } from "./store.ts";

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

/** Memory that is used again: of one step, of what it or a bucket has sorted, and of rows where the caller allows it. */
interface Scratch {
  input: [indices: Memory, data: Memory];
  sorted: PieceMemory;
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
    sorted: { codes: growingMemory(), columns: growingMemory(), values: growingMemory() },
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
        // Places in a bucket are int32.
        if (taken > limits.maxBytes || entries >= 2 ** 31)
          throw tooLarge(arrays.where, start, end, taken, limits.maxBytes);
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
  { sorted }: Scratch,
): Partition {
  const count = rows.length;
  const { starts, valueStarts } = bucketOffsets(rows, data, shift, buckets);
  const firstColumn = columnAt(offsets, from);
  const apart =
    columnAt(offsets, from + count - 1) - firstColumn >= 2 ** (32 - shift - valueBits) ? count : 0;
  const listed = valueStarts[buckets]!;
  const out: Partition = {
    starts,
    valueStarts,
    firstColumn,
    codes: new Int32Array(sorted.codes(count * 4).buffer, 0, count),
    columns: new Int32Array(sorted.columns(apart * 4).buffer, 0, apart),
    values: valuesOver(sorted.values(listed * (wide ? 8 : 4)).buffer, wide, listed),
  };
  const next = starts.slice();
  const nextValue = valueStarts.slice();
  for (let column = firstColumn, at = 0; at < count; column++) {
    const end = Math.min(count, offsets[column + 1]! - from);
    if (apart > 0) placeColumnApart(out.columns, next, rows, at, end, column, shift);
    placeColumn(out, next, nextValue, rows, data, at, end, apart > 0 ? 0 : column - firstColumn, shift);
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
  { sorted, rows: kept }: Scratch,
  check: (entries: number) => void,
): Pick<CsrRows, "indptr" | "indices" | "data"> {
  const { shift, steps, wide } = store;
  const bucket = start >>> shift;
  const first = start - bucket * 2 ** shift;
  const counts = new Uint32Array(2 ** shift);
  const pieces: number[] = [];
  for (let step = 0; step < steps; step++) {
    if (pieceLength(store, step, bucket) === 0) continue;
    pieces.push(step);
    countCodes(readCodes(store, step, bucket, sorted), shift, counts);
  }
  const indptr = new Float64Array(end - start + 1);
  for (let row = 0; row < end - start; row++) indptr[row + 1] = indptr[row]! + counts[first + row]!;
  const nnz = indptr[end - start]!;
  check(nnz);
  const width = wide ? 8 : 4;
  const indices = new Int32Array(kept?.[0](nnz * 4).buffer ?? new ArrayBuffer(nnz * 4), 0, nnz);
  const data = valuesOver(kept?.[1](nnz * width).buffer ?? new ArrayBuffer(nnz * width), wide, nnz);
  const next = Int32Array.from(indptr.subarray(0, end - start));
  for (const step of pieces)
    placeRows(indices, data, next, first, readPiece(store, step, bucket, sorted), shift);
  return { indptr, indices, data };
}
