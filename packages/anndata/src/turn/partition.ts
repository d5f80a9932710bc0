// Arrays of int32 throughout, though nothing in them is negative but codes by their top bit: numbers beyond 2^31 would be handled as floats.

/**
 * An entry is one number of 32 bits where that is possible: from the top its column, counted from the first one of its step, its row within
 * the bucket, and its value, of which most are small counts. Other values stand in a list of their own, in the order of the entries.
 */
export const valueBits = 8;
/** Stands for a value of the list. */
const listed = 255;

/** Entries of a step in the order of the buckets of rows; within a bucket in the order in which they were given. */
export interface Partition {
  /** Where every bucket begins among the entries; buckets + 1 numbers. */
  starts: Int32Array;
  /** Where it begins among the values of the list. */
  valueStarts: Int32Array;
  /** Of them columns are counted. */
  firstColumn: number;
  codes: Int32Array<ArrayBuffer>;
  /** Columns that take too many bits; otherwise empty. */
  columns: Int32Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer> | Float64Array<ArrayBuffer>;
}

/**
 * How many entries every bucket of 2^shift rows has, and how many of their values are listed, as offsets. Rows must be from 0 to below the
 * number of rows.
 */
export function bucketOffsets(
  rows: Int32Array,
  data: Float32Array | Float64Array,
  shift: number,
  buckets: number,
): Pick<Partition, "starts" | "valueStarts"> {
  const starts = new Int32Array(buckets + 1);
  const valueStarts = new Int32Array(buckets + 1);
  const counts = starts.subarray(1);
  const valueCounts = valueStarts.subarray(1);
  for (let i = 0; i < rows.length; i++) {
    const bucket = rows[i]! >>> shift;
    counts[bucket] = counts[bucket]! + 1;
    const value = data[i]!;
    const whole = value | 0;
    if (whole !== value || whole <= 0 || whole >= listed) valueCounts[bucket] = valueCounts[bucket]! + 1;
  }
  for (let bucket = 0; bucket < buckets; bucket++) {
    starts[bucket + 1]! += starts[bucket]!;
    valueStarts[bucket + 1]! += valueStarts[bucket]!;
  }
  return { starts, valueStarts };
}

/** Puts the entries `from` to `to` of a step, all of one column, into their buckets; `next` and `nextValue` hold the next places of every bucket. */
export function placeColumn(
  { codes, values }: Partition,
  next: Int32Array,
  nextValue: Int32Array,
  rows: Int32Array,
  data: Float32Array | Float64Array,
  from: number,
  to: number,
  column: number,
  shift: number,
): void {
  const mask = (1 << shift) - 1;
  const top = column << (shift + valueBits);
  for (let i = from; i < to; i++) {
    const row = rows[i]!;
    const bucket = row >>> shift;
    const at = next[bucket]!;
    next[bucket] = at + 1;
    const value = data[i]!;
    let whole = value | 0;
    if (whole !== value || whole <= 0 || whole >= listed) {
      whole = listed;
      const place = nextValue[bucket]!;
      nextValue[bucket] = place + 1;
      values[place] = value;
    }
    codes[at] = top | ((row & mask) << valueBits) | whole;
  }
}

/** The columns of the same entries, where they stand apart; to be called before, as it leaves `next` as it is. */
export function placeColumnApart(
  columns: Int32Array,
  next: Int32Array,
  rows: Int32Array,
  from: number,
  to: number,
  column: number,
  shift: number,
): void {
  for (let i = from; i < to; i++) {
    const bucket = rows[i]! >>> shift;
    const at = next[bucket]!;
    next[bucket] = at + 1;
    columns[at] = column;
  }
  for (let i = from; i < to; i++) {
    const bucket = rows[i]! >>> shift;
    next[bucket] = next[bucket]! - 1;
  }
}

/** Adds how often every row occurs to `counts`. */
export function countRows(rows: Int32Array, counts: Float64Array): void {
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    counts[row] = counts[row]! + 1;
  }
}

/** The same for coded entries of a bucket of 2^shift rows. */
export function countCodes(codes: Int32Array, shift: number, counts: Uint32Array): void {
  const mask = (1 << shift) - 1;
  for (let i = 0; i < codes.length; i++) {
    const row = (codes[i]! >>> valueBits) & mask;
    counts[row] = counts[row]! + 1;
  }
}

/** Entries of one bucket in one step. */
export interface Piece {
  codes: Int32Array;
  columns: Int32Array;
  values: Float32Array | Float64Array;
  firstColumn: number;
}

/**
 * Puts entries of a bucket into rows; `next` holds the next place of every row from `first` on, others are left out. Entries of a row come
 * in the order in which they were given.
 */
export function placeRows(
  indices: Int32Array,
  data: Float32Array | Float64Array,
  next: Int32Array,
  first: number,
  piece: Piece,
  shift: number,
): void {
  const { codes, columns, values, firstColumn } = piece;
  if (columns.length === 0) placeCodes(indices, data, next, first, codes, values, firstColumn, shift);
  else placeWithColumns(indices, data, next, first, codes, values, columns, shift);
}

/** Two loops, as one that asks where the column stands takes a third longer. */
function placeCodes(
  indices: Int32Array,
  data: Float32Array | Float64Array,
  next: Int32Array,
  first: number,
  codes: Int32Array,
  values: Float32Array | Float64Array,
  firstColumn: number,
  shift: number,
): void {
  const wanted = next.length;
  const mask = (1 << shift) - 1;
  const top = shift + valueBits;
  let place = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    const whole = code & listed;
    const row = ((code >>> valueBits) & mask) - first;
    if (row >>> 0 < wanted) {
      const at = next[row]!;
      next[row] = at + 1;
      indices[at] = firstColumn + (code >>> top);
      data[at] = whole;
      if (whole === listed) data[at] = values[place]!;
    }
    if (whole === listed) place++;
  }
}

function placeWithColumns(
  indices: Int32Array,
  data: Float32Array | Float64Array,
  next: Int32Array,
  first: number,
  codes: Int32Array,
  values: Float32Array | Float64Array,
  columns: Int32Array,
  shift: number,
): void {
  const wanted = next.length;
  const mask = (1 << shift) - 1;
  let place = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    const whole = code & listed;
    const row = ((code >>> valueBits) & mask) - first;
    if (row >>> 0 < wanted) {
      const at = next[row]!;
      next[row] = at + 1;
      indices[at] = columns[i]!;
      data[at] = whole;
      if (whole === listed) data[at] = values[place]!;
    }
    if (whole === listed) place++;
  }
}
