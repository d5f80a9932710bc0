import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type Numbers = Int32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
type Integers = Int32Array<ArrayBuffer>;

/** Entries of one bucket while they are put in order: 64 MB with their rows. */
const bucketEntries = 4 * 1024 * 1024;

/** A growing array on disk. */
interface DiskArray<T extends Numbers> {
  append(values: T): void;
  writeAt(start: number, values: T): void;
  read(start: number, end: number): T;
}

/** Sparse entries on disk, grouped by row. */
export interface SpooledRows {
  /** Offsets of the rows, `rows` + 1. */
  indptr: Float64Array;
  columns(start: number, end: number): Integers;
  values(start: number, end: number): Numbers;
}

/** Where entries go that come in any order and are wanted by row; memory does not grow with them. */
export interface Spool {
  /** One batch: `rows[i]`, `columns[i]`, `values[i]` for i below `count`. */
  append(rows: Integers, columns: Integers, values: Float64Array, count: number): void;
  /** Once, after the last batch. */
  grouped(): SpooledRows;
  /** Removes the files. */
  close(): void;
}

/**
 * A spool in a temporary folder. Entries that arrive row by row are only written; others are dealt to buckets of rows, and ordered bucket
 * by bucket: two more passes over the files.
 *
 * @param rows number of rows
 * @param whole whether values are whole numbers of 32 bits
 */
export function createSpool(rows: number, whole: boolean, parent = tmpdir()): Spool {
  const folder = mkdtempSync(join(parent, "cytomesh-mtx-"));
  const open: number[] = [];
  const array = <T extends Numbers>(name: string, make: (length: number) => T): DiskArray<T> => {
    const file = openSync(join(folder, name), "w+");
    open.push(file);
    return diskArray(file, make);
  };
  const integers = (name: string) => array(name, (length) => new Int32Array(length));
  const numbers = (name: string): DiskArray<Numbers> =>
    whole
      ? (integers(name) as DiskArray<Numbers>)
      : (array(name, (length) => new Float64Array(length)) as DiskArray<Numbers>);
  const counts = new Float64Array(rows + 1);
  const incoming = { rows: integers("rows"), columns: integers("columns"), values: numbers("values") };
  let total = 0;
  let last = 0;
  let sorted = true;
  return {
    append(batchRows, columns, values, count) {
      for (let i = 0; i < count; i++) {
        const row = batchRows[i] as number;
        if (row < last) sorted = false;
        last = row;
        counts[row + 1] = (counts[row + 1] as number) + 1;
      }
      incoming.rows.append(batchRows.subarray(0, count));
      incoming.columns.append(columns.subarray(0, count));
      incoming.values.append(whole ? Int32Array.from(values.subarray(0, count)) : values.slice(0, count));
      total += count;
    },
    grouped() {
      for (let row = 1; row <= rows; row++)
        counts[row] = (counts[row] as number) + (counts[row - 1] as number);
      if (sorted) return { indptr: counts, columns: incoming.columns.read, values: incoming.values.read };
      const columns = integers("columns-by-row");
      const values = numbers("values-by-row");
      group(counts, total, incoming, { rows: integers("rows-by-bucket"), columns, values });
      return { indptr: counts, columns: columns.read, values: values.read };
    },
    close() {
      for (const file of open.splice(0)) closeSync(file);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Entries {
  rows: DiskArray<Integers>;
  columns: DiskArray<Integers>;
  values: DiskArray<Numbers>;
}

function group(indptr: Float64Array, total: number, from: Entries, to: Entries): void {
  const starts = bucketsOf(indptr);
  const bucketOf = new Int32Array(indptr.length - 1);
  for (let b = 0; b + 1 < starts.length; b++) bucketOf.fill(b, starts[b], starts[b + 1]);
  // Deal: every bucket is one stretch of the files, filled from its beginning.
  const next = starts.map((row) => indptr[row] as number);
  for (let at = 0; at < total; at += bucketEntries) {
    const end = Math.min(total, at + bucketEntries);
    const rows = from.rows.read(at, end);
    const order = countingOrder(rows, (row) => bucketOf[row] as number, starts.length - 1);
    const columns = from.columns.read(at, end);
    const values = from.values.read(at, end);
    for (let b = 0; b + 1 < starts.length; b++) {
      const picked = order.order.subarray(order.starts[b], order.starts[b + 1]);
      if (picked.length === 0) continue;
      const place = next[b] as number;
      to.rows.writeAt(place, pick(rows, picked));
      to.columns.writeAt(place, pick(columns, picked));
      to.values.writeAt(place, pick(values, picked));
      next[b] = place + picked.length;
    }
  }
  // Put every bucket in order.
  for (let b = 0; b + 1 < starts.length; b++) {
    const [firstRow, endRow] = [starts[b] as number, starts[b + 1] as number];
    const [start, end] = [indptr[firstRow] as number, indptr[endRow] as number];
    if (start === end) continue;
    const { order } = countingOrder(to.rows.read(start, end), (row) => row - firstRow, endRow - firstRow);
    to.columns.writeAt(start, pick(to.columns.read(start, end), order));
    to.values.writeAt(start, pick(to.values.read(start, end), order));
  }
}

/** First rows of buckets of at most `bucketEntries` entries (one row may have more), and the number of rows at the end. */
function bucketsOf(indptr: Float64Array): number[] {
  const starts = [0];
  for (let row = 1; row < indptr.length - 1; row++) {
    const begin = indptr[starts[starts.length - 1] as number] as number;
    if ((indptr[row + 1] as number) - begin > bucketEntries) starts.push(row);
  }
  return [...starts, indptr.length - 1];
}

/** A stable order of entries by a small key. */
function countingOrder(keys: Int32Array, keyOf: (key: number) => number, size: number) {
  const starts = new Int32Array(size + 1);
  for (const key of keys) starts[keyOf(key) + 1]!++;
  for (let k = 1; k <= size; k++) starts[k]! += starts[k - 1]!;
  const next = starts.slice();
  const order = new Int32Array(keys.length);
  for (let i = 0; i < keys.length; i++) order[next[keyOf(keys[i]!)]!++] = i;
  return { order, starts };
}

function pick<T extends Numbers>(values: T, order: Int32Array): T {
  const out = values.slice(0, order.length) as T;
  for (let i = 0; i < order.length; i++) out[i] = values[order[i] as number] as number;
  return out;
}

function diskArray<T extends Numbers>(file: number, make: (length: number) => T): DiskArray<T> {
  let length = 0;
  const { BYTES_PER_ELEMENT: size } = make(0);
  const write = (start: number, values: T) => {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    for (let done = 0; done < bytes.length; )
      done += writeSync(file, bytes, done, bytes.length - done, start * size + done);
  };
  return {
    append(values) {
      write(length, values);
      length += values.length;
    },
    writeAt: write,
    read(start, end) {
      const values = make(end - start);
      const bytes = new Uint8Array(values.buffer);
      for (let done = 0; done < bytes.length; ) {
        const got = readSync(file, bytes, done, bytes.length - done, start * size + done);
        if (got === 0) throw new RangeError(`the spool ends at ${start * size + done}`);
        done += got;
      }
      return values;
    },
  };
}
