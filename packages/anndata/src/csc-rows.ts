import { canonicalRows } from "./canonical.ts";
import {
  type CompressedArrays,
  checkIndices,
  checkOffsets,
  entryBytes,
  readIndices,
  readOffsets,
  readValues,
  toValues,
} from "./compressed-arrays.ts";
import { type MatrixLimits, valueArray } from "./matrix.ts";
import { concatRows, sliceRows } from "./rows.ts";
import type { ArrayInfo, ParallelOptions, Values } from "./storage.ts";
import { countRows } from "./turn/partition.ts";
import { createPicker } from "./turn/pick.ts";
import { closeTurnStore, createTurnStore, type TurnStore } from "./turn/store.ts";
import { columnAt, type Turning, tooLarge, turningOf } from "./turn/turning.ts";
import type { CsrRows, Entries } from "./types.ts";

/** A matrix up to this size is turned in memory and kept; bigger ones go through the disk. */
const maxTurnedBytes = 256 * 1024 * 1024;
/** Entries of one bucket on disk, as they come back into memory. */
const maxBucketBytes = 32 * 1024 * 1024;
/** Entries read from the file at a time. */
const maxBlockEntries = 1024 * 1024;
/** Entries that threads decode at a time. */
const parallelEntries = 4 * 1024 * 1024;
/** Rows of so many entries are kept between counting and placing them, beyond that they are decoded twice. */
const keptEntries = 32 * 1024 * 1024;
/** So often a few rows are picked out in one pass over the file, before turning all of it pays. */
const maxPicks = 2;
/** Share of the rows that are picked out together; more are sorted. */
const maxPicked = 0.25;

/** Rows of a matrix by column. */
export interface CscRows {
  rows(start: number, end: number): CsrRows;
  /** Only these rows will be asked for: one pass over the file finds a few, more are worth sorting all. */
  expect(ranges: readonly (readonly [number, number])[]): void;
  /** Entries as they stand in the file. */
  entries(from: number, to: number): Entries;
  toCsr(options: ParallelOptions): Promise<CsrRows>;
  turning: Turning;
}

interface Turn {
  arrays: CompressedArrays;
  nRows: number;
  nCols: number;
  blockEntries: number;
}

/**
 * Rows of a matrix that is stored by column. What fits is turned in memory, once: one pass over the indices counts the entries of every row,
 * another puts them there. Otherwise the first requests for a few rows pick them out of a pass over the file, and later ones sort all
 * entries into buckets of rows on disk and read a bucket at a time. Memory: the counts, one bucket or window, and a block of the file.
 */
export function cscRows(
  arrays: CompressedArrays,
  nRows: number,
  nCols: number,
  limits: MatrixLimits,
): CscRows {
  const memory = Math.min(limits.maxBytes, maxTurnedBytes);
  const blockEntries = Math.max(1_024, Math.min(maxBlockEntries, Math.floor(limits.maxBytes / 64)));
  const turn: Turn = { arrays, nRows, nCols, blockEntries };
  const turning = turningOf(arrays, nRows, nCols, limits);
  const fits = arrays.nnz * entryBytes(arrays) <= memory;
  let turned: CsrRows | undefined;
  let buckets: ((start: number, end: number) => CsrRows) | undefined;
  let picked = new Map<string, CsrRows>();
  let picks = 0;

  function rows(start: number, end: number): CsrRows {
    if (turned !== undefined) return start === 0 && end === nRows ? turned : sliceRows(turned, start, end);
    const found = picked.get(`${start} ${end}`);
    if (found !== undefined) return found;
    const all = start === 0 && end === nRows;
    if (all) checkSize(arrays, start, end, arrays.nnz, limits.maxBytes);
    if (fits) {
      turned = turnAll(turn);
      return all ? turned : sliceRows(turned, start, end);
    }
    // All of it is as much as the caller allows; to keep it besides would be twice that.
    if (all) return turnAll(turn);
    const few = buckets === undefined && picks++ < maxPicks ? pick([[start, end]]) : undefined;
    return few?.[0] ?? sorted()(start, end);
  }

  /** undefined when they are too many to be held. */
  function pick(ranges: readonly (readonly [number, number])[]): CsrRows[] | undefined {
    const picker = createPicker(ranges, nRows, nCols, arrays.dtype, memory);
    visit(turn, (rows, column, at, to, data) => picker.add(rows, column, at, to, data));
    ranges.forEach(([start, end], i) => {
      checkSize(arrays, start, end, picker.entries(i), limits.maxBytes);
    });
    return picker.rows();
  }

  function sorted(): (start: number, end: number) => CsrRows {
    buckets ??= sortAll(turn, turning, limits);
    return buckets;
  }

  return {
    rows,
    expect: (ranges) => {
      if (fits || buckets !== undefined) return;
      const wanted = ranges.reduce((sum, [start, end]) => sum + end - start, 0);
      const found = wanted > nRows * maxPicked ? undefined : pick(ranges);
      if (found === undefined) sorted();
      else picked = new Map(found.map((part, i) => [ranges[i]!.join(" "), part]));
    },
    entries: (from, to) => entriesOf(turn, from, to),
    toCsr: async (options) => {
      if (turned !== undefined) return turned;
      checkSize(arrays, 0, nRows, arrays.nnz, limits.maxBytes);
      const all = await turnInParallel(turn, options);
      if (fits) turned = all;
      return all;
    },
    turning,
  };
}

function checkSize(
  arrays: CompressedArrays,
  start: number,
  end: number,
  entries: number,
  most: number,
): void {
  const bytes = entries * entryBytes(arrays);
  if (bytes > most) throw tooLarge(arrays.where, start, end, bytes, most);
}

/** Part of a block: the entries `from` to `to`, all of one column. */
type VisitColumn = (
  rows: Int32Array,
  column: number,
  from: number,
  to: number,
  data: Float32Array | Float64Array,
) => void;

function visitBlock(
  offsets: ArrayLike<number>,
  from: number,
  rows: Int32Array,
  data: Float32Array | Float64Array,
  each: VisitColumn,
): void {
  for (let column = columnAt(offsets, from), at = 0; at < rows.length; column++) {
    const end = Math.min(rows.length, offsets[column + 1]! - from);
    if (end > at) each(rows, column, at, end, data);
    at = end;
  }
}

/** Visits the entries column by column. */
function visit({ arrays, nCols, blockEntries }: Turn, each: VisitColumn): void {
  const offsets = readOffsets(arrays, 0, nCols);
  for (let from = 0; from < arrays.nnz; from += blockEntries) {
    const to = Math.min(arrays.nnz, from + blockEntries);
    visitBlock(offsets, from, readIndices(arrays, from, to), readValues(arrays, from, to), each);
  }
}

function entriesOf({ arrays, nCols }: Turn, from: number, to: number): Entries {
  const offsets = readOffsets(arrays, 0, nCols);
  const rows = readIndices(arrays, from, to);
  const data = readValues(arrays, from, to);
  const columns = new Int32Array(rows.length);
  visitBlock(offsets, from, rows, data, (_rows, column, at, end) => columns.fill(column, at, end));
  return { rows, columns, data };
}

/** Rows as they fill: every one has its place. Columns come in order, so every row is sorted. */
interface Filling {
  add: VisitColumn;
  done(): CsrRows;
}

function fillRows({ arrays, nRows, nCols }: Turn, indptr: Float64Array): Filling {
  const nnz = indptr[nRows]!;
  // Integers are faster, where they reach.
  const next = nnz < 2 ** 31 ? Int32Array.from(indptr) : indptr.slice();
  const indices = new Int32Array(nnz);
  const values = valueArray(arrays.dtype, nnz);
  return {
    add: (rows, column, from, to, data) => {
      for (let i = from; i < to; i++) {
        const row = rows[i]!;
        const at = next[row]!;
        next[row] = at + 1;
        indices[at] = column;
        values[at] = data[i]!;
      }
    },
    done: () => canonicalRows({ nRows, nCols, indptr, indices, data: values }),
  };
}

function addUp(counts: Float64Array): Float64Array {
  for (let row = 1; row < counts.length; row++) counts[row]! += counts[row - 1]!;
  return counts;
}

function turnAll(turn: Turn): CsrRows {
  const { arrays, nRows, nCols, blockEntries } = turn;
  const { nnz } = arrays;
  const offsets = readOffsets(arrays, 0, nCols);
  const indptr = new Float64Array(nRows + 1);
  const kept = nnz <= keptEntries ? readIndices(arrays, 0, nnz) : undefined;
  const rowsOf = (from: number, to: number) => kept?.subarray(from, to) ?? readIndices(arrays, from, to);
  for (let from = 0; from < nnz; from += blockEntries) {
    countRows(rowsOf(from, Math.min(nnz, from + blockEntries)), indptr.subarray(1));
  }
  const filling = fillRows(turn, addUp(indptr));
  for (let from = 0; from < nnz; from += blockEntries) {
    const to = Math.min(nnz, from + blockEntries);
    visitBlock(offsets, from, rowsOf(from, to), readValues(arrays, from, to), filling.add);
  }
  return filling.done();
}

/** The same with blocks that several threads decode, the next one while one is put into rows. */
async function turnInParallel(turn: Turn, options: ParallelOptions): Promise<CsrRows> {
  const { arrays, nRows, nCols } = turn;
  const { source, nnz } = arrays;
  const read = async (
    info: ArrayInfo,
    from: number,
    to: number,
    into?: SharedArrayBuffer,
  ): Promise<Values> => {
    options.signal?.throwIfAborted();
    const how = into === undefined ? options : { ...options, into };
    return source.readParallel?.(info, from, to, how) ?? source.read(info, from, to);
  };
  const offsets = checkOffsets(arrays, 0, await read(arrays.indptr, 0, nCols + 1));
  const indptr = new Float64Array(nRows + 1);
  const blocks = (infos: readonly ArrayInfo[]) => readAhead(nnz, infos, read);
  if (nnz <= keptEntries) {
    const rows = checkIndices(arrays, 0, await read(arrays.indices, 0, nnz));
    countRows(rows, indptr.subarray(1));
    const filling = fillRows(turn, addUp(indptr));
    for await (const { from, to, values } of blocks([arrays.data])) {
      visitBlock(offsets, from, rows.subarray(from, to), toValues(arrays, values[0]!), filling.add);
    }
    return filling.done();
  }
  for await (const { from, values } of blocks([arrays.indices])) {
    countRows(checkIndices(arrays, from, values[0]!), indptr.subarray(1));
  }
  const filling = fillRows(turn, addUp(indptr));
  for await (const { from, values } of blocks([arrays.indices, arrays.data])) {
    const rows = checkIndices(arrays, from, values[0]!);
    visitBlock(offsets, from, rows, toValues(arrays, values[1]!), filling.add);
  }
  return filling.done();
}

type ReadPart = (info: ArrayInfo, from: number, to: number, into?: SharedArrayBuffer) => Promise<Values>;

/** Blocks of some arrays, one read ahead; the memory of a block is used again for the next but one. */
async function* readAhead(
  nnz: number,
  infos: readonly ArrayInfo[],
  read: ReadPart,
): AsyncGenerator<{ from: number; to: number; values: Values[] }> {
  const bytes = Math.min(nnz, parallelEntries) * 8;
  const memory = [0, 1].map(() => infos.map(() => new SharedArrayBuffer(bytes)));
  const readAll = async (from: number, to: number, into: readonly SharedArrayBuffer[]) => {
    const values: Values[] = [];
    for (const [i, info] of infos.entries()) values.push(await read(info, from, to, into[i]));
    return values;
  };
  const begin = (from: number, turn: number) => {
    const to = Math.min(nnz, from + parallelEntries);
    const values = readAll(from, to, memory[turn % 2]!);
    // Looked at when its turn comes.
    values.catch(() => undefined);
    return { from, to, values };
  };
  let ahead = nnz > 0 ? begin(0, 0) : undefined;
  try {
    for (let turn = 1; ahead !== undefined; turn++) {
      const { from, to }: { from: number; to: number } = ahead;
      const values = await ahead.values;
      ahead = to < nnz ? begin(to, turn) : undefined;
      yield { from, to, values };
    }
  } finally {
    await ahead?.values.catch(() => undefined);
  }
}

/** All entries sorted into buckets on disk: rows of them, a bucket in memory at a time. */
function sortAll(
  { arrays, nRows, nCols, blockEntries }: Turn,
  turning: Turning,
  limits: MatrixLimits,
): (start: number, end: number) => CsrRows {
  const size = entryBytes(arrays);
  const bucketEntries = Math.max(1, Math.floor(Math.min(maxBucketBytes, limits.maxBytes / 4) / size));
  const plan = turning.plan({ stepEntries: blockEntries, bucketEntries });
  const store = createTurnStore(plan, 0, limits.tempDir);
  limits.onClose(() => closeTurnStore(store));
  const counted = new Float64Array(nRows + 1);
  for (let step = 0; step < plan.steps; step++) {
    turning.step(store, step, (rows) => countRows(rows, counted.subarray(1)));
  }
  addUp(counted);
  const load = windows(store, turning, counted, bucketEntries);
  return (start, end) => {
    checkSize(arrays, start, end, counted[end]! - counted[start]!, limits.maxBytes);
    if (start === end) return emptyRows(nCols, arrays.dtype);
    const parts: CsrRows[] = [];
    for (let row = start; row < end; ) {
      const { from, to, rows } = load(row, end);
      const until = Math.min(end, to);
      parts.push(sliceRows(rows, row - from, until - from));
      row = until;
    }
    return parts.length === 1 ? parts[0]! : concatRows(parts);
  };
}

interface Window {
  from: number;
  to: number;
  rows: CsrRows;
}

/** The rows around one that are read together, kept until others are asked for: its bucket, or what can be held of it. */
function windows(
  store: TurnStore,
  turning: Turning,
  counted: Float64Array,
  mostEntries: number,
): (row: number, end: number) => Window {
  let last: Window | undefined;
  return (row, end) => {
    if (last !== undefined && row >= last.from && row < last.to) return last;
    const width = 2 ** store.shift;
    const from = Math.floor(row / width) * width;
    const to = Math.min(store.nRows, from + width);
    const entries = (a: number, b: number) => counted[b]! - counted[a]!;
    if (entries(from, to) <= mostEntries) last = { from, to, rows: turning.rows(store, from, to) };
    else {
      let until = Math.min(end, to);
      while (until > row + 1 && entries(row, until) > mostEntries) until--;
      while (until < to && entries(row, until + 1) <= mostEntries) until++;
      last = { from: row, to: until, rows: turning.rows(store, row, until) };
    }
    return last;
  };
}

function emptyRows(nCols: number, dtype: string): CsrRows {
  return {
    nRows: 0,
    nCols,
    indptr: new Float64Array(1),
    indices: new Int32Array(0),
    data: valueArray(dtype, 0),
  };
}
