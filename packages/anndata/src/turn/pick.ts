import { canonicalRows } from "../canonical.ts";
import { valueArray } from "../matrix.ts";
import type { CsrRows } from "../types.ts";

/** Rows of a few ranges, picked out of entries that come column by column. */
export interface Picker {
  /** Entries `from` to `to`, all of one column. */
  add(rows: Int32Array, column: number, from: number, to: number, data: Float32Array | Float64Array): void;
  /** How many entries a range has. */
  entries(range: number): number;
  /** The ranges; undefined when together they took more memory than they may. */
  rows(): CsrRows[] | undefined;
}

/** @param ranges first row and the row after the last; none of them overlaps another */
export function createPicker(
  ranges: readonly (readonly [number, number])[],
  nRows: number,
  nCols: number,
  dtype: string,
  maxBytes: number,
): Picker {
  /** The place of every row among those wanted, counted from 1; 0: not wanted. */
  const places = new Uint32Array(nRows);
  const firsts: number[] = [];
  let wanted = 0;
  for (const [start, end] of ranges) {
    firsts.push(wanted);
    for (let row = start; row < end; row++) places[row] = ++wanted;
  }
  const counts = new Float64Array(wanted + 1);
  let found = 0;
  const size = 8 + valueArray(dtype, 0).BYTES_PER_ELEMENT;
  const most = Math.floor(maxBytes / size);
  let room = Math.min(most, 65_536);
  let at = new Uint32Array(room);
  let columns = new Int32Array(room);
  let values = valueArray(dtype, room);

  function grow(): void {
    room = Math.min(most, room * 2);
    const [oldAt, oldColumns, oldValues] = [at, columns, values];
    at = new Uint32Array(room);
    columns = new Int32Array(room);
    values = valueArray(dtype, room);
    at.set(oldAt);
    columns.set(oldColumns);
    values.set(oldValues);
  }

  return {
    add: (rows, column, from, to, data) => {
      for (let i = from; i < to; i++) {
        const place = places[rows[i]!]!;
        if (place === 0) continue;
        counts[place] = counts[place]! + 1;
        if (found === room && room < most) grow();
        if (found < room) {
          at[found] = place - 1;
          columns[found] = column;
          values[found] = data[i]!;
        }
        found++;
      }
    },
    entries: (range) => {
      const from = firsts[range]! + 1;
      return counts.subarray(from, (firsts[range + 1] ?? wanted) + 1).reduce((sum, count) => sum + count, 0);
    },
    rows: () => {
      if (found > room) return undefined;
      const offsets = counts.slice();
      for (let place = 1; place <= wanted; place++) offsets[place]! += offsets[place - 1]!;
      const next = offsets.slice();
      const indices = new Int32Array(found);
      const data = valueArray(dtype, found);
      for (let i = 0; i < found; i++) {
        const to = next[at[i]!]!++;
        indices[to] = columns[i]!;
        data[to] = values[i]!;
      }
      return ranges.map(([start, end], range) => {
        const first = firsts[range]!;
        const indptr = offsets.slice(first, first + end - start + 1);
        const [from, to] = [indptr[0]!, indptr[end - start]!];
        const own = indptr.map((offset) => offset - from);
        return canonicalRows({
          nRows: end - start,
          nCols,
          indptr: own,
          indices: indices.slice(from, to),
          data: data.slice(from, to),
        });
      });
    },
  };
}
