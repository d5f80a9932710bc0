import { canonicalRows } from "../canonical.ts";
import { type CompressedArrays, checkIndices, readOffsets, readValues } from "../compressed-arrays.ts";
import { growingMemory, valueArray } from "../matrix.ts";
import type { CsrRows } from "../types.ts";
import { checkSize, columnAt } from "./blocks.ts";
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
  /** The same with the entries of the step, checked. */
  sort(store: TurnStore, step: number, rows: Int32Array, data: Float32Array | Float64Array): void;
  /**
   * Rows `start` to `end`, which lie in one bucket, once all steps are done.
   *
   * @throws AnnDataError "too-large"
   */
  rows(store: TurnStore, start: number, end: number): CsrRows;
  /** All rows, a bucket after the other put where it belongs. */
  all(store: TurnStore): CsrRows;
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
  const width = wide ? 8 : 4;
  const scratch: Scratch = {
    input: [growingMemory(), growingMemory()],
    sorted: { codes: growingMemory(), columns: growingMemory(), values: growingMemory() },
    rows: limits.reuseRows === true ? [growingMemory(), growingMemory()] : undefined,
  };
  let offsets: ArrayLike<number> | undefined;
  const sort: Turning["sort"] = (store, step, rows, data) => {
    offsets ??= readOffsets(arrays, 0, nCols);
    writeStep(store, step, sortStep(store, offsets, step * store.stepEntries, rows, data, scratch));
  };
  return {
    plan: (how) => {
      const chunks = [arrays.indices, arrays.data].map((info) => info.chunks?.[0] ?? 1);
      return planTurn({ nRows, nnz: arrays.nnz, wide }, chunks, how);
    },
    sort,
    step: (store, step, seen) => {
      const from = step * store.stepEntries;
      const to = Math.min(arrays.nnz, from + store.stepEntries);
      const [rowMemory, dataMemory] = scratch.input;
      const read = arrays.source.read(arrays.indices, from, to, rowMemory((to - from) * 4));
      const rows = checkIndices(arrays, from, read);
      seen?.(rows);
      sort(store, step, rows, readValues(arrays, from, to, dataMemory((to - from) * 4)));
    },
    rows: (store, start, end) => {
      const allot = (nnz: number): Entries => {
        // Places in a bucket are int32.
        checkSize(arrays, start, end, nnz, Math.min(limits.maxBytes, (2 ** 31 - 1) * (4 + width)));
        const indices = scratch.rows?.[0](nnz * 4).buffer ?? new ArrayBuffer(nnz * 4);
        const data = scratch.rows?.[1](nnz * width).buffer ?? new ArrayBuffer(nnz * width);
        return { indices: new Int32Array(indices, 0, nnz), data: valuesOver(data, wide, nnz) };
      };
      return canonicalRows({
        nRows: end - start,
        nCols,
        ...gather(store, start, end, scratch.sorted, allot),
      });
    },
    all: (store) => {
      const indices = new Int32Array(arrays.nnz);
      const data = valueArray(arrays.dtype, arrays.nnz);
      const indptr = new Float64Array(nRows + 1);
      for (let start = 0; start < nRows; start += 2 ** store.shift) {
        const from = indptr[start]!;
        const end = Math.min(nRows, start + 2 ** store.shift);
        const place = (nnz: number): Entries => {
          checkSize(arrays, start, end, nnz, (2 ** 31 - 1) * (4 + width));
          return { indices: indices.subarray(from, from + nnz), data: data.subarray(from, from + nnz) };
        };
        const own = gather(store, start, end, scratch.sorted, place).indptr;
        for (let row = 1; row < own.length; row++) indptr[start + row] = from + own[row]!;
      }
      return canonicalRows({ nRows, nCols, indptr, indices, data });
    },
  };
}

type Entries = Pick<CsrRows, "indices" | "data">;

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
  sorted: PieceMemory,
  allot: (nnz: number) => Entries,
): Pick<CsrRows, "indptr" | "indices" | "data"> {
  const { shift, steps } = store;
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
  const { indices, data } = allot(nnz);
  const next = Int32Array.from(indptr.subarray(0, end - start));
  for (const step of pieces)
    placeRows(indices, data, next, first, readPiece(store, step, bucket, sorted), shift);
  return { indptr, indices, data };
}
