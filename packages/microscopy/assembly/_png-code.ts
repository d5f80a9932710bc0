// The Huffman code of a band of rows (RFC 1951): counting, the head of its block, and its words of pixels as bits. No matches are sought but
// runs of zeros.

import { makeCode } from "../../codecs/assembly/_huffman";
import { beginBits, bitsSince, putBits, putEntry } from "./_png-bits";
import { putHead } from "./_png-head";

/** Longest code of a byte: two samples and what is left of a byte fit 64 bits. */
const LONGEST: u32 = 12;
const END: u32 = 256;
const SYMBOLS: u32 = 286;

/** What is kept of the code of a band: entries (see `putEntry`) of bytes, of runs of zeros by their length, of the end, and the head's bits. */
export const BAND_BYTES: usize = 2704;
const RUNS: usize = 1024;
const END_ENTRY: usize = RUNS + 260 * 4;
const HEAD_BITS: usize = END_ENTRY + 4;
const HEAD: usize = HEAD_BITS + 4;

/** Counts of bytes by place in a pixel, and of all symbols. */
const counts: usize = memory.data(6 * 256 * 4);
const freq: usize = memory.data(288 * 4);
const lens: usize = memory.data(320);
const codes: usize = memory.data(288 * 2);
/** Entries of residuals of two bytes with high bytes from -4 to 3: alone, and after two zeros. */
const pairs: usize = memory.data(2048 * 8);
const afterZeros: usize = memory.data(2048 * 8);
// ---- entries

export function literalOf(band: usize, byte: u32): u64 {
  return load<u32>(band + (<usize>byte << 2));
}
export function runOf(band: usize, length: u32): u64 {
  return load<u32>(band + RUNS + (<usize>length << 2));
}
export function endOf(band: usize): u64 {
  return load<u32>(band + END_ENTRY);
}
export function headOf(band: usize): usize {
  return band + HEAD;
}
export function headBitsOf(band: usize): u32 {
  return load<u32>(band + HEAD_BITS);
}

// @ts-ignore: decorator
@inline
function joined(first: u64, second: u64): u64 {
  const bits = first & 63;
  return ((((first >> 8) | ((second >> 8) << bits)) << 8) | (bits + (second & 63)));
}

/** Symbol of a run's length, 3 to 258. */
// @ts-ignore: decorator
@inline
function symbolOf(length: u32): u32 {
  if (length == 258) return 285;
  const l = length - 3;
  if (l < 8) return 257 + l;
  const extra = 29 - clz<u32>(l);
  return 257 + (extra << 2) + (l >> extra);
}

// @ts-ignore: decorator
@inline
function extraOf(length: u32): u32 {
  const l = length - 3;
  return l < 8 || length == 258 ? 0 : 29 - clz<u32>(l);
}

function makeEntries(band: usize): void {
  for (let i: u32 = 0; i < 256; i++)
    store<u32>(band + (<usize>i << 2), (load<u16>(codes + (i << 1)) << 8) | load<u8>(lens + i));
  for (let length: u32 = 3; length <= 258; length++) {
    const symbol = symbolOf(length);
    const bits = <u32>load<u8>(lens + symbol);
    const extra = extraOf(length);
    const rest = (length - 3) & ((1 << extra) - 1);
    // The distance is 1: one bit, zero.
    store<u32>(band + RUNS + (length << 2), ((load<u16>(codes + (symbol << 1)) | (rest << bits)) << 8) | (bits + extra + 1));
  }
  store<u32>(band + END_ENTRY, (load<u16>(codes + (END << 1)) << 8) | load<u8>(lens + END));
}

function makePairs(band: usize): void {
  const zeros = joined(literalOf(band, 0), literalOf(band, 0));
  for (let i: u32 = 0; i < 2048; i++) {
    const d = (i - 0x400) & 0xffff;
    const entry = joined(literalOf(band, d >> 8), literalOf(band, d & 255));
    store<u64>(pairs + (i << 3), entry);
    store<u64>(afterZeros + (i << 3), joined(zeros, entry));
  }
}

// ---- runs of zeros

/** Length of the next match of `left` zeros: what remains is nothing, or long enough for another. */
export function nextMatch(left: u32): u32 {
  return left <= 258 ? left : left < 261 ? left - 3 : 258;
}

// @ts-ignore: decorator
@inline
function wordAt(kind: u32, row: usize, x: u32): u64 {
  if (kind == 1) return load<u16>(row + (<usize>x << 1));
  if (kind == 2) return load<u32>(row + (<usize>x << 2));
  return load<u64>(row + (<usize>x << 3));
}

// @ts-ignore: decorator
@inline
function endOfZeros(kind: u32, row: usize, x: u32, end: u32): u32 {
  while (x < end && wordAt(kind, row, x) == 0) x++;
  return x;
}

/** Zero pixels from which a run is worth its code. */
// @ts-ignore: decorator
@inline
function shortestRun(kind: u32): u32 {
  return kind == 1 ? 8 : 3;
}

/** `count` zero bytes. */
export function putZeros(band: usize, count: u32): void {
  const zero = literalOf(band, 0);
  if (count < 4) {
    for (; count > 0; count--) putEntry(zero);
    return;
  }
  putEntry(zero);
  for (let left = count - 1; left > 0; ) {
    const take = nextMatch(left);
    putEntry(runOf(band, take));
    left -= take;
  }
}

const zerosOnly: usize = memory.data(2704);

/** A block of `count` zero bytes, with a code for them alone. */
export function putZeroBlock(count: u32, last: u32): void {
  memory.fill(freq, 0, 288 * 4);
  bump(freq + (END << 2));
  bump(freq);
  if (count < 4) store<u32>(freq, count);
  else
    for (let left = count - 1; left > 0; ) {
      const take = nextMatch(left);
      bump(freq + (symbolOf(take) << 2));
      left -= take;
    }
  makeCode(freq, SYMBOLS, LONGEST, lens, codes);
  putBits(last | 4, 3);
  putHead(lens, SYMBOLS);
  makeEntries(zerosOnly);
  putZeros(zerosOnly, count);
  putEntry(endOf(zerosOnly));
}

// ---- a band: rows of words from `from` on, `stride` bytes each, in pieces between `cuts` columns (u32) from the first of them on

// @ts-ignore: decorator
@inline
function bump(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

// @ts-ignore: decorator
@inline
function count(table: u32, byte: u64): void {
  bump(counts + (table << 10) + (<usize>(byte & 255) << 2));
}

// @ts-ignore: decorator
@inline
function countAs(kind: u32, from: usize, rows: u32, stride: usize, width: u32): void {
  memory.fill(counts, 0, 6 * 256 * 4);
  memory.fill(freq, 0, 288 * 4);
  let pixels: u32 = 0;
  let zeros: u32 = 0;
  // Of many rows two of four say enough, one of each parity, as cameras and scanners may differ there: each symbol gets a code anyway.
  const skipped: u32 = rows < 16 ? 1 : 3;
  for (let y: u32 = 0; y < rows; y += (y & 1) == 0 ? 1 : skipped) {
    const row = from + <usize>y * stride;
    for (let x: u32 = 0; x < width; ) {
      const word = wordAt(kind, row, x);
      if (word == 0) {
        const end = endOfZeros(kind, row, x + 1, width);
        const pixelsHere = end - x;
        x = end;
        if (pixelsHere < shortestRun(kind)) zeros += pixelsHere * (kind == 1 ? 2 : 6);
        else {
          zeros += 1;
          for (let left = pixelsHere * (kind == 1 ? 2 : 6) - 1; left > 0; ) {
            const take = nextMatch(left);
            bump(freq + (symbolOf(take) << 2));
            left -= take;
          }
        }
        continue;
      }
      x++;
      pixels++;
      count(0, word);
      count(1, word >> 8);
      if (kind > 1) {
        count(2, word >> 16);
        count(3, word >> 24);
      }
      if (kind > 2) {
        count(4, word >> 32);
        count(5, word >> 40);
      }
    }
  }
  for (let i: u32 = 0; i < 256; i++) {
    let sum: u32 = 0;
    for (let table: u32 = 0; table < 6; table++) sum += load<u32>(counts + (table << 10) + (i << 2));
    store<u32>(freq + (i << 2), sum);
  }
  store<u32>(freq, load<u32>(freq) + zeros + (kind == 2 ? 2 * pixels : 0));
}

/** The code of a band, its entries and its head. Every symbol has a code: windows have pixels at their edges that no piece has. */
export function makeBand(kind: u32, from: usize, rows: u32, stride: usize, width: u32, filter: u32, band: usize): void {
  if (kind == 1) countAs(1, from, rows, stride, width);
  else if (kind == 2) countAs(2, from, rows, stride, width);
  else countAs(3, from, rows, stride, width);
  store<u32>(freq + (filter << 2), load<u32>(freq + (filter << 2)) + rows);
  for (let i: u32 = 0; i < SYMBOLS; i++) store<u32>(freq + (i << 2), max<u32>(1, load<u32>(freq + (i << 2))));
  makeCode(freq, SYMBOLS, LONGEST, lens, codes);
  makeEntries(band);
  makePairs(band);
  beginBits(headOf(band));
  putHead(lens, SYMBOLS);
  store<u32>(band + HEAD_BITS, bitsSince(headOf(band)));
}

// @ts-ignore: decorator
@inline
function entryOf(band: usize, table: usize, d: u32, first: u64): u64 {
  const i = (d + 0x400) & 0xffff;
  if (i < 0x800) return load<u64>(table + (<usize>i << 3));
  const entry = joined(literalOf(band, d >> 8), literalOf(band, d & 255));
  return first == 0 ? entry : joined(first, entry);
}

// @ts-ignore: decorator
@inline
function codeAs(
  kind: u32,
  band: usize,
  from: usize,
  rows: u32,
  stride: usize,
  cuts: usize,
  cutCount: u32,
  table: usize,
  start: usize,
  to: usize,
): usize {
  const zero = literalOf(band, 0);
  const zeros = joined(zero, zero);
  // Two zeros and four bytes may be more than 56 bits where zeros are rare: then a pixel goes out in two steps.
  const tight = kind == 2 && (zeros & 63) > 56 - 4 * LONGEST;
  const left = load<u32>(cuts);
  let acc: u64 = 0;
  // Only the lowest six bits count, in shifts as here: entries are added with their codes above.
  let n: u64 = 0;
  for (let y: u32 = 0; y < rows; y++) {
    const row = from + <usize>y * stride;
    store<u32>(table, (<u32>(to - start) << 3) + <u32>n);
    table += CUT_BYTES;
    let x: u32 = 0;
    for (let cut: u32 = 1; cut < cutCount; cut++) {
      const pieceEnd = load<u32>(cuts + (<usize>cut << 2)) - left;
      while (x < pieceEnd) {
        const word = wordAt(kind, row, x);
        if (word != 0) {
          x++;
          if (kind == 1) {
            const e = entryOf(band, pairs, <u32>word, 0);
            acc |= (e >> 8) << n;
            n += e;
          } else if (kind == 2) {
            const e = entryOf(band, afterZeros, <u32>word & 0xffff, zeros);
            acc |= (e >> 8) << n;
            n += e;
            if (tight) {
              store<u64>(to, acc);
              acc >>= n & 56;
              to += <usize>((n & 56) >> 3);
              n &= 7;
            }
            const f = entryOf(band, pairs, <u32>word >> 16, 0);
            acc |= (f >> 8) << n;
            n += f;
          } else {
            const e = entryOf(band, pairs, <u32>word & 0xffff, 0);
            acc |= (e >> 8) << n;
            n += e;
            const f = entryOf(band, pairs, <u32>word >> 16, 0);
            acc |= (f >> 8) << n;
            n += f;
            store<u64>(to, acc);
            acc >>= n & 56;
            to += <usize>((n & 56) >> 3);
            n &= 7;
            const g = entryOf(band, pairs, <u32>(word >> 32), 0);
            acc |= (g >> 8) << n;
            n += g;
          }
        } else {
          const end = endOfZeros(kind, row, x + 1, pieceEnd);
          const pixels = end - x;
          x = end;
          let zerosLeft = pixels * (kind == 1 ? 2 : 6);
          if (pixels < shortestRun(kind))
            for (; zerosLeft > 0; zerosLeft -= 2) {
              acc |= (zeros >> 8) << n;
              n += zeros;
              store<u64>(to, acc);
              acc >>= n & 56;
              to += <usize>((n & 56) >> 3);
              n &= 7;
            }
          else {
            acc |= (zero >> 8) << n;
            n += zero;
            for (zerosLeft -= 1; zerosLeft > 0; ) {
              store<u64>(to, acc);
              acc >>= n & 56;
              to += <usize>((n & 56) >> 3);
              n &= 7;
              const take = nextMatch(zerosLeft);
              const e = runOf(band, take);
              acc |= (e >> 8) << n;
              n += e;
              zerosLeft -= take;
            }
          }
        }
        store<u64>(to, acc);
        acc >>= n & 56;
        to += <usize>((n & 56) >> 3);
        n &= 7;
      }
      store<u32>(table, (<u32>(to - start) << 3) + <u32>n);
      table += CUT_BYTES;
    }
  }
  store<u64>(to, acc);
  return to + 1;
}

/** Of every cut of a row: the bits before it (u32), the sum of bytes (u32), that of bytes times their place in the raw row of the plane (u64). */
export const CUT_BYTES: usize = 16;

/** The bits of a band at `to`, and in `table`, for every row, where they are at every cut; returns where the next band may begin. */
export function codeRows(
  kind: u32,
  band: usize,
  from: usize,
  rows: u32,
  stride: usize,
  cuts: usize,
  cutCount: u32,
  table: usize,
  start: usize,
  to: usize,
): usize {
  if (kind == 1) return codeAs(1, band, from, rows, stride, cuts, cutCount, table, start, to);
  if (kind == 2) return codeAs(2, band, from, rows, stride, cuts, cutCount, table, start, to);
  return codeAs(3, band, from, rows, stride, cuts, cutCount, table, start, to);
}
