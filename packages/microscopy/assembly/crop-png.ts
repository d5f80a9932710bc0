// Windows of planes of uint16 → the zlib streams of PNGs of 16 bits, grey or RGB (RFC 1950, RFC 1951), without cutting them out.
//
// Windows of one image overlap: rows are filtered and coded once for all of them, a Huffman code for each band of rows, and it is remembered
// where in the bits every window's first and last column lie, and what the bytes before them add up to. A window is then put together from
// pieces of these bits, the few pixels at its edges that have other neighbours there, and zeros where it reaches over an edge.
//
// Planes and everything else lie behind heapBase(), each with slack behind it.

import { beginBits, copyBits, endBits, putBits, putEntry } from "./_png-bits";
import { BAND_BYTES, codeRows, CUT_BYTES, endOf, headBitsOf, headOf, literalOf, makeBand, putZeroBlock, putZeros } from "./_png-code";
import { filterRow, interleave, piecePlaced, pieceSum, roughness, rowRoom, SUB, sumPiece, UP, wordSize } from "./_png-filter";

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

/** Raw bytes of a band: its filtered rows stay in the second cache. */
const BAND_RAW: u32 = 256 * 1024;

// ---- a plan: which columns and rows of which planes are coded; the columns of the cuts follow it, then bands and the table of cuts

const KIND: usize = 0;
const RED: usize = 4;
const GREEN: usize = 8;
const BLUE: usize = 12;
const WIDTH: usize = 16;
const HEIGHT: usize = 20;
const TOP: usize = 24;
const BOTTOM: usize = 28;
const FILTER: usize = 32;
const CUTS: usize = 36;
const BAND_ROWS: usize = 40;
const START: usize = 44;
const HEADER: usize = 64;

/** Where the columns of a plan's cuts are (u32, ascending, all different): for the caller to write before bands are coded. */
export function cutsOf(plan: usize): usize {
  return plan + HEADER;
}

function bandsOf(plan: usize): usize {
  return plan + HEADER + (((<usize>load<u32>(plan, CUTS) + 3) & ~3) << 2);
}

export function bandCount(plan: usize): u32 {
  const rows = load<u32>(plan, BOTTOM) - load<u32>(plan, TOP);
  return (rows + load<u32>(plan, BAND_ROWS) - 1) / load<u32>(plan, BAND_ROWS);
}

/** Of a row of the plane and a cut. */
function tableAt(plan: usize, y: u32, cut: u32): usize {
  const row = <usize>(y - load<u32>(plan, TOP)) * load<u32>(plan, CUTS);
  return bandsOf(plan) + <usize>bandCount(plan) * BAND_BYTES + (row + cut) * CUT_BYTES;
}

function samplesOf(kind: u32): u32 {
  return kind == 1 ? 1 : 3;
}

function planeOf(plan: usize, k: u32): usize {
  if (load<u32>(plan) == 1) return load<u32>(plan, BLUE);
  return k == 0 ? load<u32>(plan, RED) : k == 1 ? load<u32>(plan, GREEN) : load<u32>(plan, BLUE);
}

function bandRowsFor(columns: u32, kind: u32): u32 {
  return max<u32>(1, BAND_RAW / (1 + columns * samplesOf(kind) * 2));
}

/** Bytes of a plan of so many rows and columns. */
export function planBytes(kind: u32, rows: u32, columns: u32, cuts: u32): usize {
  return HEADER + 4 * <usize>cuts + 16 + <usize>(rows / bandRowsFor(columns, kind) + 1) * BAND_BYTES + <usize>rows * cuts * CUT_BYTES;
}

/**
 * Lays out a plan: `kind` 1 is the grey of `b`, 2 RGB with a red of zeros, 3 RGB; planes of `width` × `height`, one at 0 is zero everywhere.
 *
 * @param top and `bottom`: rows that are coded, of `columns` columns.
 */
export function layOut(
  plan: usize,
  kind: u32,
  r: usize,
  g: usize,
  b: usize,
  width: u32,
  height: u32,
  top: u32,
  bottom: u32,
  columns: u32,
  filter: u32,
  cuts: u32,
): void {
  store<u32>(plan, kind, KIND);
  store<u32>(plan, <u32>r, RED);
  store<u32>(plan, <u32>g, GREEN);
  store<u32>(plan, <u32>b, BLUE);
  store<u32>(plan, width, WIDTH);
  store<u32>(plan, height, HEIGHT);
  store<u32>(plan, top, TOP);
  store<u32>(plan, bottom, BOTTOM);
  store<u32>(plan, filter, FILTER);
  store<u32>(plan, cuts, CUTS);
  store<u32>(plan, bandRowsFor(columns, kind), BAND_ROWS);
}

/** Sub (1) or up (2), whichever leaves less in some of the rows of a part of the planes. */
export function chooseFilter(r: usize, g: usize, b: usize, width: u32, left: u32, right: u32, top: u32, bottom: u32): u32 {
  let sub: u64 = 0;
  let up: u64 = 0;
  const step = max<u32>(1, (bottom - top) >> 4);
  const bytes = <usize>(right - left) << 1;
  for (let y: u32 = max<u32>(1, top + (step >> 1)); y < bottom; y += step)
    for (let k: u32 = 0; k < 3; k++) {
      const plane = k == 0 ? r : k == 1 ? g : b;
      if (plane == 0) continue;
      const row = plane + ((<usize>y * width + left) << 1);
      const above = row - (<usize>width << 1);
      sub += roughness(SUB, row, above, bytes);
      up += roughness(UP, row, above, bytes);
    }
  return sub < up ? SUB : UP;
}

// ---- coding

/** Bytes that `codeBand` needs at `work`. */
export function workBytes(kind: u32, columns: u32): usize {
  return rowRoom(columns) * (4 + 4 * bandRowsFor(columns, kind)) + 64;
}

/** Bytes that `codeBand` may write at `to`. */
export function bandRoom(kind: u32, columns: u32): usize {
  const raw = <usize>bandRowsFor(columns, kind) * columns * samplesOf(kind) * 2;
  return raw + (raw >> 1) + 64;
}

/** Codes the band `index` of a plan at `to`, the first one where the plan's bits begin; returns where the next band goes. */
export function codeBand(plan: usize, index: u32, work: usize, to: usize): usize {
  if (index == 0) store<u32>(plan, <u32>to, START);
  const kind = load<u32>(plan, KIND);
  const filter = load<u32>(plan, FILTER);
  const width = load<u32>(plan, WIDTH);
  const cuts = cutsOf(plan);
  const cutCount = load<u32>(plan, CUTS);
  const left = load<u32>(cuts);
  const columns = load<u32>(cuts + (<usize>(cutCount - 1) << 2)) - left;
  const first = load<u32>(plan, TOP) + index * load<u32>(plan, BAND_ROWS);
  const rows = min<u32>(load<u32>(plan, BAND_ROWS), load<u32>(plan, BOTTOM) - first);
  const room = rowRoom(columns);
  const zeroRow = work;
  const filtered = work + room;
  const words = filtered + 3 * room;
  const size = wordSize(kind);
  const stride = (room >> 1) * size;
  memory.fill(zeroRow, 0, room);
  const table = tableAt(plan, first, 0);
  for (let i: u32 = 0; i < rows; i++) {
    const y = first + i;
    const target = words + <usize>i * stride;
    for (let k = kind == 2 ? 1 : 0; k < <i32>samplesOf(kind); k++) {
      const plane = planeOf(plan, k);
      const row: usize = plane == 0 ? <usize>0 : plane + ((<usize>y * width + left) << 1);
      const above: usize = y == 0 ? zeroRow : row - (<usize>width << 1);
      filterRow(filter, row, above, left == 0, <usize>columns << 1, kind == 1 ? target : filtered + <usize>k * room);
    }
    if (kind > 1) interleave(kind, filtered, room, target);
    sumRow(kind, target, size, cuts, cutCount, table + <usize>i * cutCount * CUT_BYTES);
  }
  const band = bandsOf(plan) + <usize>index * BAND_BYTES;
  makeBand(kind, words, rows, stride, columns, filter, band);
  return codeRows(kind, band, words, rows, stride, cuts, cutCount, table, load<u32>(plan, START), to);
}

/** Sums of a row before each cut. */
function sumRow(kind: u32, words: usize, size: usize, cuts: usize, cutCount: u32, table: usize): void {
  const pixelBytes = <u64>samplesOf(kind) << 1;
  const left = load<u32>(cuts);
  let sum: u64 = 0;
  let placed: u64 = 0;
  let from = left;
  for (let cut: u32 = 0; cut < cutCount; cut++) {
    const to = load<u32>(cuts + (<usize>cut << 2));
    if (to > from) {
      sumPiece(kind, words + <usize>(from - left) * size, to - from);
      sum += pieceSum;
      placed += piecePlaced + pixelBytes * from * pieceSum;
    }
    store<u32>(table, <u32>sum, 4);
    store<u64>(table, placed, 8);
    table += CUT_BYTES;
    from = to;
  }
}

// ---- windows

/** Bytes that `cut` may write. */
export function roomFor(kind: u32, columns: u32, rows: u32): usize {
  const raw = <usize>rows * (1 + <usize>columns * samplesOf(kind) * 2);
  return raw + (raw >> 1) + <usize>(rows / bandRowsFor(columns, kind) + 3) * 640 + <usize>rows * 64 + 4096;
}

let adlerA: u64 = 1;
let adlerB: u64 = 0;
/** Of the row at hand: what its bytes add up to, and each times its place in the row. */
let rowSum: u64 = 0;
let rowPlaced: i64 = 0;

function putByte(band: usize, byte: u32, place: u32): void {
  putEntry(literalOf(band, byte));
  rowSum += byte;
  rowPlaced += <i64>byte * place;
}

/** A pixel that is coded by itself: pixel `x` of row `y` of the planes, less the one before it; `minuend` and `subtrahend` 0 for zero. */
function putPixel(plan: usize, band: usize, x: u32, y: u32, minuend: bool, subtrahend: bool, place: u32): void {
  const samples = samplesOf(load<u32>(plan, KIND));
  const offset = (<usize>y * load<u32>(plan, WIDTH) + x) << 1;
  for (let k: u32 = 0; k < samples; k++) {
    const plane = planeOf(plan, k);
    const here = plane != 0 && minuend ? <u32>load<u16>(plane + offset) : 0;
    const before = plane != 0 && subtrahend ? <u32>load<u16>(plane + offset - 2) : 0;
    putByte(band, ((here >> 8) - (before >> 8)) & 255, place + 2 * k);
    putByte(band, (here - before) & 255, place + 2 * k + 1);
  }
}

function cutAt(cuts: usize, column: u32): u32 {
  let cut: u32 = 0;
  while (load<u32>(cuts + (<usize>cut << 2)) != column) cut++;
  return cut;
}

/**
 * The zlib stream of a window of the planes of a plan, whose rows and columns in the planes the plan has coded; where it reaches over an edge
 * it is zero. There is a cut where its columns in the planes begin (with the filter sub: one later, if the window begins there) and where
 * they end. Returns the bytes written at `to`.
 */
export function cut(plan: usize, left: i32, top: i32, columns: u32, rows: u32, to: usize): usize {
  const kind = load<u32>(plan, KIND);
  const filter = load<u32>(plan, FILTER);
  const width = <i32>load<u32>(plan, WIDTH);
  const cutCount = load<u32>(plan, CUTS);
  const cuts = cutsOf(plan);
  const pixelBytes = samplesOf(kind) << 1;
  const rowBytes = 1 + <u64>pixelBytes * columns;
  const from = max<i32>(0, left);
  const end = min<i32>(width, left + <i32>columns);
  const above = from < end ? <u32>min<i64>(rows, max<i64>(0, -<i64>top)) : rows;
  const until = from < end ? <u32>max<i64>(above, min<i64>(rows, <i64>load<u32>(plan, HEIGHT) - top)) : rows;
  beginBits(to);
  adlerA = 1;
  adlerB = 0;
  putBits(0x0178, 16);
  if (above > 0) putEmptyRows(above, rowBytes, above == rows ? 1 : 0);
  if (above < until) {
    const bandRows = load<u32>(plan, BAND_ROWS);
    const single = filter == SUB && left >= 0;
    const first = cutAt(cuts, <u32>from + (single ? 1 : 0));
    const last = cutAt(cuts, <u32>end);
    const leftZeros = <u32>(from - left) * pixelBytes;
    const rightZeros = <u32>(left + <i32>columns - end) * pixelBytes;
    const start = <usize>load<u32>(plan, START);
    let y = above;
    while (y < until) {
      const index = (<u32>(top + <i32>y) - load<u32>(plan, TOP)) / bandRows;
      const bandEnd = min<u32>(until, <u32>(<i32>(load<u32>(plan, TOP) + (index + 1) * bandRows) - top));
      const band = bandsOf(plan) + <usize>index * BAND_BYTES;
      putBits((bandEnd == rows ? 1 : 0) | 4, 3);
      copyBits(headOf(band), 0, headBitsOf(band));
      for (; y < bandEnd; y++) {
        const planeRow = <u32>(top + <i32>y);
        // The row above is not in the window.
        const alone = filter == UP && y == 0 && planeRow > 0;
        rowSum = 0;
        rowPlaced = 0;
        putEntry(literalOf(band, alone ? SUB : filter));
        if (leftZeros > 0) putZeros(band, leftZeros);
        if (alone) {
          for (let x = <u32>from; x < <u32>end; x++)
            putPixel(plan, band, x, planeRow, true, x > <u32>from, leftZeros + (x - from) * pixelBytes);
        } else {
          if (single) putPixel(plan, band, from, planeRow, true, false, 0);
          const at = tableAt(plan, planeRow, first);
          const behind = at + <usize>(last - first) * CUT_BYTES;
          const sum = <u64>(load<u32>(behind, 4) - load<u32>(at, 4));
          copyBits(start, load<u32>(at), load<u32>(behind) - load<u32>(at));
          rowSum += sum;
          rowPlaced += <i64>(load<u64>(behind, 8) - load<u64>(at, 8)) - <i64>pixelBytes * left * <i64>sum;
        }
        if (rightZeros > 0) {
          let zeros = rightZeros;
          if (alone || filter == SUB) {
            putPixel(plan, band, end, planeRow, false, true, <u32>(end - left) * pixelBytes);
            zeros -= pixelBytes;
          }
          putZeros(band, zeros);
        }
        // Every byte counts once for itself and for each behind it.
        const filterByte = alone ? SUB : filter;
        adlerB = (adlerB + rowBytes * (adlerA + filterByte) + (rowBytes - 1) * rowSum - <u64>rowPlaced) % 65_521;
        adlerA = (adlerA + filterByte + rowSum) % 65_521;
      }
      putEntry(endOf(band));
    }
  }
  if (until < rows) putEmptyRows(rows - until, rowBytes, 1);
  const behind = endBits();
  store<u32>(behind, bswap<u32>((<u32>adlerB << 16) | <u32>adlerA));
  return behind + 4 - to;
}

/** Rows of zeros, without a filter. */
function putEmptyRows(rows: u32, rowBytes: u64, last: u32): void {
  putZeroBlock(<u32>(rows * rowBytes), last);
  adlerB = (adlerB + ((rows * rowBytes) % 65_521) * adlerA) % 65_521;
}
