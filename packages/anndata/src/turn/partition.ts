/** Entries of a block in the order of the buckets of rows; within a bucket in the order in which they were given. */
export interface Partition {
  /** Where every bucket begins; buckets + 1 numbers. */
  starts: Uint32Array;
  /** Row of every entry within its bucket. */
  rows: Uint16Array<ArrayBuffer>;
  columns: Int32Array<ArrayBuffer>;
  data: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/** How often every bucket of 2^shift rows occurs, as offsets. Rows must be from 0 to below the number of rows. */
export function bucketOffsets(rows: Int32Array, shift: number, buckets: number): Uint32Array {
  const starts = new Uint32Array(buckets + 1);
  const counts = starts.subarray(1);
  for (let i = 0; i < rows.length; i++) {
    const bucket = rows[i]! >>> shift;
    counts[bucket] = counts[bucket]! + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket++) starts[bucket + 1]! += starts[bucket]!;
  return starts;
}

/** Puts the entries `from` to `to` of a block, all of one column, into their buckets; `next` holds the next place of every bucket. */
export function placeColumn(
  out: Partition,
  next: Uint32Array,
  rows: Int32Array,
  data: Float32Array | Float64Array,
  from: number,
  to: number,
  column: number,
  shift: number,
): void {
  const { rows: outRows, columns: outColumns, data: outData } = out;
  const mask = (1 << shift) - 1;
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    const bucket = row >>> shift;
    const at = next[bucket]!;
    next[bucket] = at + 1;
    outRows[at] = row & mask;
    outColumns[at] = column;
    outData[at] = data[i]!;
  }
}

/** Adds how often every row occurs to `counts`. */
export function countRows(rows: Uint16Array | Int32Array, counts: Float64Array | Uint32Array): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    counts[row] = counts[row]! + 1;
  }
}

/**
 * Puts entries of a bucket into rows; `next` holds the next place of every row from `first` on, others are left out. Entries of a row come
 * in the order in which they were given.
 */
export function placeRows(
  indices: Int32Array,
  values: Float32Array | Float64Array,
  next: Uint32Array,
  first: number,
  rows: Uint16Array,
  columns: Int32Array,
  data: Float32Array | Float64Array,
  count: number,
): void {
  const wanted = next.length;
  for (let i = 0; i < count; i++) {
    const row = rows[i]! - first;
    if (row >>> 0 >= wanted) continue;
    const at = next[row]!;
    next[row] = at + 1;
    indices[at] = columns[i]!;
    values[at] = data[i]!;
  }
}
