import { checkCsr, emptyLists, encodeRows, type MatrixNames } from "../cell-lists.ts";
import { OmicsStoreError } from "../errors.ts";
import type { CountsType, CsrRowsLike, MatrixEncoding } from "../types.ts";
import { type Compression, encoding, PAGE_VALUES } from "./format.ts";
import { type ByteSink, byteSink, putBytes, putListLevels } from "./levels.ts";
import { type MatrixMemory, NEGATIVE, threadMemory, UNFIT, ZERO } from "./matrix-memory.ts";
import { dataPage, type PageBytes, pageLength } from "./page.ts";

export interface EncodeOptions {
  countsType: CountsType;
  encoding: MatrixEncoding;
  /** Pages of the lists; default "none" for delta-packed ones and "zstd" for plain ones. */
  compression?: Compression;
  /** Feature id of column 0. */
  featureIdStart: number;
  nFeatures: number;
  /** Cells per page. */
  pageCells: number;
  /** Memory for the pages, shared or not. Where they do not fit, they get memory of their own. */
  into?: Uint8Array;
  names: MatrixNames;
}

export interface EncodedPage {
  rows: number;
  /** Entries of the level streams: stored counts, and one for each empty list. */
  entries: number;
  /** Where its two pages, headers included, lie in `bytes`, first the ids, right after them the counts. */
  at: number;
  idBytes: number;
  countBytes: number;
  /** Their sizes before compression. */
  idPlainBytes: number;
  countPlainBytes: number;
}

/** Pages of the two list columns for a run of cells. Plain data over buffers, so that it crosses threads. */
export interface EncodedPages {
  nRows: number;
  nnz: number;
  /** Stored counts of every cell. */
  lengths: Int32Array;
  /** Sum of every cell's values in float64, in the order in which they stand. */
  totals: Float64Array;
  /** Whether any value is below zero. */
  negative: boolean;
  pages: EncodedPage[];
  bytes: Uint8Array;
  encoding: MatrixEncoding;
  countsType: CountsType;
}

/** Where pages gather; kept, so that it is grown once per thread. */
const encoded = byteSink();

/** A row of more would pass the 50 MB that big warehouses load. */
const MAX_ROW_VALUES = 6_000_000;

/** The compression of each list column under these options. */
export function listCompression(o: Pick<EncodeOptions, "countsType" | "encoding" | "compression">): {
  ids: Compression;
  counts: Compression;
} {
  const packed = o.encoding === "delta";
  return {
    ids: o.compression ?? (packed ? "none" : "zstd"),
    counts: o.compression ?? (packed && o.countsType === "int32" ? "none" : "zstd"),
  };
}

/**
 * Encodes a run of cells: zeros dropped, pages cut every `pageCells` cells from the first one on, or earlier where cells are very full. A pure
 * function for any thread; runs whose lengths are multiples of `pageCells`, laid end to end, give the pages of the whole.
 * Throws `invalid_counts`, naming cell and gene.
 */
export function encodeMatrixPages(rows: CsrRowsLike, options: EncodeOptions): EncodedPages {
  checkCsr(rows, options.nFeatures);
  const memory = threadMemory();
  const out = options.into === undefined ? encoded : { bytes: options.into, at: 0 };
  out.at = 0;
  const result: EncodedPages = {
    nRows: rows.nRows,
    nnz: 0,
    lengths: new Int32Array(rows.nRows),
    totals: new Float64Array(rows.nRows),
    negative: false,
    pages: [],
    bytes: new Uint8Array(0),
    encoding: options.encoding,
    countsType: options.countsType,
  };
  for (let from = 0; from < rows.nRows; ) {
    const to = pageEnd(rows, from, options.pageCells);
    encodePage(memory, rows, from, to, options, result, out);
    from = to;
  }
  // Memory that was given, or had to be got because more was needed, is nobody else's.
  result.bytes = out === encoded ? out.bytes.slice(0, out.at) : out.bytes.subarray(0, out.at);
  return result;
}

function pageEnd({ indptr, nRows }: CsrRowsLike, from: number, pageCells: number): number {
  const limit = Math.min(nRows, from - (from % pageCells) + pageCells);
  let to = from + 1;
  while (to < limit && indptr[to + 1]! - indptr[from]! <= PAGE_VALUES) to++;
  return to;
}

function encodePage(
  memory: MatrixMemory,
  rows: CsrRowsLike,
  from: number,
  to: number,
  options: EncodeOptions,
  result: EncodedPages,
  out: ByteSink,
): void {
  const most = rows.indptr[to]! - rows.indptr[from]!;
  if (to - from === 1 && most > MAX_ROW_VALUES)
    throw new OmicsStoreError(
      "invalid_counts",
      `cell ${options.names.cell(from)}: ${most} values were given, ${MAX_ROW_VALUES} is the most that one cell may have`,
    );
  const wide = rows.data instanceof Float64Array ? 8 : 4;
  // 23 bytes per row bound the levels; a delta block is at most 4 bytes per value and 9 for its head.
  const bodySize = (to - from) * 24 + most * 5 + 1024;
  const [ids, source, counts, body] = memory.layout(most * 4, most * wide, most * 4, bodySize) as [
    number,
    number,
    number,
    number,
  ];
  const lengths = result.lengths.subarray(from, to);
  const place = { ids, source, counts };
  const fast = loadCounts(memory, place, rows, from, to, options, result, lengths);
  const nnz = fast ?? loadCarefully(memory, place, rows, from, to, options, result, lengths);
  const levels = byteSink();
  putListLevels(levels, lengths);
  const entries = lengths.reduce((sum, length) => sum + Math.max(1, length), 0);
  const compression = listCompression(options);
  const add = fast === undefined ? 0 : options.featureIdStart;
  const at = out.at;
  const write = (column: number, offset: number, delta: boolean, codec: Compression): PageBytes => {
    const values = body + levels.at;
    memory.bytes(body, levels.at).set(levels.bytes.subarray(0, levels.at));
    let end = values + nnz * 4;
    if (delta) end = memory.kernels.encodeDelta(column, nnz, offset, values);
    else {
      if (offset !== 0) memory.kernels.addToAll(column, nnz, offset);
      memory.bytes(values, nnz * 4).set(memory.bytes(column, nnz * 4));
    }
    const kind = delta ? encoding.DELTA_BINARY_PACKED : encoding.PLAIN;
    const page = dataPage(memory.bytes(body, end - body), entries, kind, codec);
    for (const part of page.parts) putBytes(out, part);
    return page;
  };
  const delta = options.encoding === "delta";
  const idPage = write(ids, add, delta, compression.ids);
  const countPage = write(counts, 0, delta && options.countsType === "int32", compression.counts);
  result.nnz += nnz;
  result.pages.push({
    rows: to - from,
    entries,
    at,
    idBytes: pageLength(idPage),
    countBytes: pageLength(countPage),
    idPlainBytes: idPage.uncompressed,
    countPlainBytes: countPage.uncompressed,
  });
}

interface Place {
  ids: number;
  source: number;
  counts: number;
}

/** Copies and converts; undefined when there are zeros to drop or values to complain about. */
function loadCounts(
  { kernels, ...memory }: MatrixMemory,
  { ids, source, counts }: Place,
  rows: CsrRowsLike,
  from: number,
  to: number,
  options: EncodeOptions,
  result: EncodedPages,
  lengths: Int32Array,
): number | undefined {
  const { indptr, data } = rows;
  const start = indptr[from]!;
  const end = indptr[to]!;
  const nnz = end - start;
  memory.ints(ids, nnz).set(rows.indices.subarray(start, end));
  if (nnz > 0 && kernels.greatest(ids, nnz) >>> 0 >= rows.nCols) return undefined;
  const integers = options.countsType === "int32";
  let flags: number;
  if (data instanceof Float64Array) {
    new Float64Array(kernels.memory.buffer, source, nnz).set(data.subarray(start, end));
    flags = integers ? kernels.toInts64(source, nnz, counts) : kernels.toFloats(source, nnz, counts);
  } else {
    const at = integers ? source : counts;
    memory.floats(at, nnz).set(data.subarray(start, end));
    flags = integers ? kernels.toInts32(source, nnz, counts) : kernels.checkFloats(counts, nnz);
  }
  if ((flags & (ZERO | UNFIT)) !== 0) return undefined;
  if ((flags & NEGATIVE) !== 0) result.negative = true;
  for (let row = from; row < to; row++) {
    const length = indptr[row + 1]! - indptr[row]!;
    lengths[row - from] = length;
    result.totals[row] = integers
      ? kernels.sumInts(counts + (indptr[row]! - start) * 4, length)
      : sumOf(data, indptr[row]!, indptr[row + 1]!);
  }
  return nnz;
}

function loadCarefully(
  memory: MatrixMemory,
  { ids, counts }: Place,
  rows: CsrRowsLike,
  from: number,
  to: number,
  options: EncodeOptions,
  result: EncodedPages,
  lengths: Int32Array,
): number {
  const lists = encodeRows(
    rows,
    from,
    to,
    options.featureIdStart,
    emptyLists(options.countsType),
    options.names,
  );
  const nnz = lists.ends[to - from - 1]!;
  memory.ints(ids, nnz).set(lists.featureIds.subarray(0, nnz));
  const values = lists.counts.subarray(0, nnz);
  if (values instanceof Int32Array) memory.ints(counts, nnz).set(values);
  else memory.floats(counts, nnz).set(values);
  result.negative ||= values.some((value) => value < 0);
  for (let row = from; row < to; row++) {
    lengths[row - from] = lists.ends[row - from]! - (row === from ? 0 : lists.ends[row - from - 1]!);
    result.totals[row] = sumOf(rows.data, rows.indptr[row]!, rows.indptr[row + 1]!);
  }
  return nnz;
}

function sumOf(data: Float32Array | Float64Array, from: number, to: number): number {
  let sum = 0;
  for (let k = from; k < to; k++) sum += data[k]!;
  return sum;
}
