// Windows of planes of uint16 → the zlib stream of a PNG of 16 bits, grey or RGB, without a copy of the window in between: rows are filtered
// where they lie, their Adler-32 is summed on the way, and their bytes are coded with a Huffman code of their own for each band of rows. No
// matches are sought but runs of zeros: the noise of a camera has no others. As fpnge and fdeflate do it (RFC 1950, RFC 1951).
//
// Planes and everything else lie behind heapBase(), each with 64 bytes of slack behind it.

import { makeCode } from "../../codecs/assembly/_huffman";

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

/** Longest code of a byte: two samples and what is left of a byte fit 64 bits. */
const LONGEST: u32 = 12;
/** Raw bytes of a band: its filtered rows stay in the second cache. */
const BAND_BYTES: u32 = 256 * 1024;
const END: u32 = 256;

/** Counts of bytes by place in a pixel, and of all symbols. */
const counts: usize = memory.data(8 * 256 * 4);
const freq: usize = memory.data(288 * 4);
const lens: usize = memory.data(320);
const codes: usize = memory.data(288 * 2);
/** Entries are code << 8 | bits: of a byte, and of a run of zeros by its length, with its distance. */
const literal: usize = memory.data(256 * 4);
const runs: usize = memory.data(260 * 4);
/** Entries of residuals of two bytes with high bytes from -4 to 3: alone, and after two zeros. */
const pairs: usize = memory.data(2048 * 8);
const afterZeros: usize = memory.data(2048 * 8);
/** For the head of a block. */
const lengthSymbols: usize = memory.data(320);
const lengthExtras: usize = memory.data(320);
const lengthFreq: usize = memory.data(20 * 4);
const lengthLens: usize = memory.data(20);
const lengthCodes: usize = memory.data(20 * 2);
const lengthOrder: usize = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);
const keep: usize = memory.data<u8>([
  255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]);

// ---- rows of the window

let planeWidth: u32 = 0;
let planeHeight: u32 = 0;
let windowLeft: i32 = 0;
let windowTop: i32 = 0;
let windowWidth: u32 = 0;
let zeroRow: usize = 0;
let spareRows: usize = 0;
let rowBytes: usize = 0;

/** Where row `y` of a window lies: in the plane itself, or in a spare row where it reaches over a side. */
function rowAt(plane: usize, channel: u32, y: i32): usize {
  const row = windowTop + y;
  if (plane == 0 || y < 0 || row < 0 || row >= <i32>planeHeight) return zeroRow;
  const from = max<i32>(0, windowLeft);
  const to = min<i32>(<i32>planeWidth, windowLeft + <i32>windowWidth);
  if (from >= to) return zeroRow;
  const source = plane + (<usize>row * planeWidth << 1);
  if (from == windowLeft && to == windowLeft + <i32>windowWidth) return source + (<usize>from << 1);
  const spare = spareRows + (<usize>channel * 2 + (y & 1)) * rowBytes;
  memory.fill(spare, 0, rowBytes);
  memory.copy(spare + (<usize>(from - windowLeft) << 1), source + (<usize>from << 1), <usize>(to - from) << 1);
  return spare;
}

// ---- filters: bytes of little-endian samples; the coder turns them round

/** Sums of the last row: of low bytes, of both, and of both times their column. */
let sumLow: u64 = 0;
let sumBoth: u64 = 0;
let sumPlaced: u64 = 0;

// @ts-ignore: decorator
@inline
function total(v: v128): u64 {
  return (
    <u64>(<u32>i32x4.extract_lane(v, 0)) +
    <u64>(<u32>i32x4.extract_lane(v, 1)) +
    <u64>(<u32>i32x4.extract_lane(v, 2)) +
    <u64>(<u32>i32x4.extract_lane(v, 3))
  );
}

// @ts-ignore: decorator
@inline
function residual(kind: u32, row: usize, above: usize, i: usize): v128 {
  const x = v128.load(row + i);
  if (kind == 2) return i8x16.sub(x, v128.load(above + i));
  if (i == 0)
    return i8x16.sub(x, i8x16.shuffle(i8x16.splat(0), x, 0, 1, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29));
  return i8x16.sub(x, v128.load(row + i - 2));
}

// @ts-ignore: decorator
@inline
function filterAs(kind: u32, row: usize, above: usize, to: usize): void {
  const bytes = <usize>windowWidth << 1;
  const places = i16x8(0, 1, 2, 3, 4, 5, 6, 7);
  let low = i32x4.splat(0);
  let both = i32x4.splat(0);
  let before = i32x4.splat(0);
  let placed = i32x4.splat(0);
  let steps: u64 = 0;
  for (let i: usize = 0; i < bytes; i += 16) {
    let d = residual(kind, row, above, i);
    if (i + 16 > bytes) d = v128.and(d, v128.load(keep + 16 - (bytes - i)));
    v128.store(to + i, d);
    const lows = v128.and(d, i16x8.splat(255));
    const sum = i16x8.add(lows, i16x8.shr_u(d, 8));
    before = i32x4.add(before, both);
    low = i32x4.add(low, i32x4.extadd_pairwise_i16x8_u(lows));
    both = i32x4.add(both, i32x4.extadd_pairwise_i16x8_u(sum));
    placed = i32x4.add(placed, i32x4.dot_i16x8_s(sum, places));
    steps += 1;
  }
  sumLow = total(low);
  sumBoth = total(both);
  // A sum in step v counts 8 v columns: all steps but those after it.
  sumPlaced = total(placed) + 8 * ((steps - 1) * sumBoth - total(before));
}

function filterRow(kind: u32, row: usize, above: usize, to: usize): void {
  if (row == zeroRow && (kind == 1 || above == zeroRow)) {
    memory.fill(to, 0, rowBytes);
    sumLow = sumBoth = sumPlaced = 0;
  } else if (kind == 1) filterAs(1, row, above, to);
  else filterAs(2, row, above, to);
}

/** Sum of absolute residuals of a row. */
function roughness(kind: u32, row: usize, above: usize): u64 {
  const bytes = (<usize>windowWidth << 1) & ~15;
  let sum = i32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const d = kind == 1 ? residual(1, row, above, i) : residual(2, row, above, i);
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(i8x16.abs(d))));
  }
  return total(sum);
}

/** Sub (1) or up (2), whichever leaves less in some of the rows. */
function chooseFilter(r: usize, g: usize, b: usize, height: u32): u32 {
  let sub: u64 = 0;
  let up: u64 = 0;
  const step = max<u32>(1, height >> 4);
  for (let y: u32 = step >> 1; y < height; y += step)
    for (let c: u32 = 0; c < 3; c++) {
      const plane = c == 0 ? r : c == 1 ? g : b;
      if (plane == 0) continue;
      const row = rowAt(plane, c, y);
      const above = rowAt(plane, c, <i32>y - 1);
      sub += roughness(1, row, above);
      up += roughness(2, row, above);
    }
  return sub < up ? 1 : 2;
}

// ---- Adler-32

let adlerA: u64 = 1;
let adlerB: u64 = 0;

/** What sample `k` of `samples` of a row of `bytes` adds; with `adlerA` as it was before the row. */
function adlerSample(k: u32, samples: u32, bytes: u64): void {
  adlerB += (bytes - 1 - 2 * k) * (sumBoth - sumLow) + (bytes - 2 - 2 * k) * sumLow - 2 * samples * sumPlaced;
  rowSum += sumBoth;
}
let rowSum: u64 = 0;

// ---- entries

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

/** The entries of a band from its codes. */
function makeEntries(withRuns: bool): void {
  for (let i: u32 = 0; i < 256; i++)
    store<u32>(literal + (i << 2), (load<u16>(codes + (i << 1)) << 8) | load<u8>(lens + i));
  const zeros = joined(load<u32>(literal), load<u32>(literal));
  for (let i: u32 = 0; i < 2048; i++) {
    const d = (i - 0x400) & 0xffff;
    const entry = joined(load<u32>(literal + ((d >> 8) << 2)), load<u32>(literal + ((d & 255) << 2)));
    store<u64>(pairs + (i << 3), entry);
    store<u64>(afterZeros + (i << 3), joined(zeros, entry));
  }
  if (!withRuns) return;
  for (let length: u32 = 3; length <= 258; length++) {
    const symbol = symbolOf(length);
    const bits = <u32>load<u8>(lens + symbol);
    if (bits == 0) continue;
    const extra = extraOf(length);
    const rest = (length - 3) & ((1 << extra) - 1);
    // The distance is 1: one bit, zero.
    store<u32>(runs + (length << 2), ((load<u16>(codes + (symbol << 1)) | (rest << bits)) << 8) | (bits + extra + 1));
  }
}

// ---- bits

let out: usize = 0;
let held: u64 = 0;
let heldBits: u64 = 0;

function putBits(value: u64, bits: u64): void {
  held |= value << heldBits;
  heldBits += bits;
  store<u64>(out, held);
  const whole = heldBits & 56;
  out += <usize>(whole >> 3);
  held >>= whole;
  heldBits &= 7;
}

/** The head of a block with the code of this band. */
function putHead(last: u32): void {
  putBits(last | (2 << 1), 3);
  let symbols: u32 = 286;
  while (symbols > 257 && load<u8>(lens + symbols - 1) == 0) symbols--;
  // Lengths of literals and runs, and two distances of one bit: not every decoder takes a code of one.
  store<u8>(lens + symbols, 1);
  store<u8>(lens + symbols, 1, 1);
  const all = symbols + 2;
  memory.fill(lengthFreq, 0, 19 * 4);
  let n: u32 = 0;
  for (let i: u32 = 0; i < all; ) {
    const value = load<u8>(lens + i);
    let run: u32 = 1;
    while (i + run < all && load<u8>(lens + i + run) == value) run++;
    i += run;
    if (value != 0) {
      n = putLength(n, value, 0);
      run--;
    }
    while (run >= 3) {
      if (value != 0) {
        const take = min<u32>(run, 6);
        n = putLength(n, 16, take - 3);
        run -= take;
      } else {
        const take = min<u32>(run, 138);
        n = take < 11 ? putLength(n, 17, take - 3) : putLength(n, 18, take - 11);
        run -= take;
      }
    }
    for (; run > 0; run--) n = putLength(n, value, 0);
  }
  makeCode(lengthFreq, 19, 7, lengthLens, lengthCodes);
  let sent: u32 = 19;
  while (sent > 4 && load<u8>(lengthLens + load<u8>(lengthOrder + sent - 1)) == 0) sent--;
  putBits((symbols - 257) | (1 << 5) | ((sent - 4) << 10), 14);
  for (let i: u32 = 0; i < sent; i++) putBits(load<u8>(lengthLens + load<u8>(lengthOrder + i)), 3);
  for (let i: u32 = 0; i < n; i++) {
    const symbol = <u32>load<u8>(lengthSymbols + i);
    putBits(load<u16>(lengthCodes + (symbol << 1)), load<u8>(lengthLens + symbol));
    if (symbol >= 16) putBits(load<u8>(lengthExtras + i), symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
  }
  store<u8>(lens + symbols, 0);
  store<u8>(lens + symbols, 0, 1);
}

function putLength(n: u32, symbol: u32, extra: u32): u32 {
  store<u8>(lengthSymbols + n, symbol);
  store<u8>(lengthExtras + n, extra);
  const at = lengthFreq + (symbol << 2);
  store<u32>(at, load<u32>(at) + 1);
  return n + 1;
}

// ---- bands: pixels of one, two (and a zero in front) or three residuals, in words of 2, 4 and 8 bytes

// @ts-ignore: decorator
@inline
function wordAt(kind: u32, row: usize, x: u32): u64 {
  if (kind == 1) return load<u16>(row + (<usize>x << 1));
  if (kind == 2) return load<u32>(row + (<usize>x << 2));
  return load<u64>(row + (<usize>x << 3));
}

// @ts-ignore: decorator
@inline
function endOfZeros(kind: u32, row: usize, x: u32, width: u32): u32 {
  while (x < width && wordAt(kind, row, x) == 0) x++;
  return x;
}

/** Zero pixels from which a run is worth its code. */
// @ts-ignore: decorator
@inline
function shortestRun(kind: u32): u32 {
  return kind == 1 ? 8 : 3;
}

/** Length of the next match of `left` zeros: what remains is nothing, or long enough for another. */
// @ts-ignore: decorator
@inline
function nextMatch(left: u32): u32 {
  return left <= 258 ? left : left < 261 ? left - 3 : 258;
}

// @ts-ignore: decorator
@inline
function count(table: u32, byte: u64): void {
  const at = counts + (table << 10) + (<usize>(byte & 255) << 2);
  store<u32>(at, load<u32>(at) + 1);
}

// @ts-ignore: decorator
@inline
function countRows(kind: u32, from: usize, rows: u32, stride: usize, width: u32, filter: u32): bool {
  memory.fill(counts, 0, 8 * 256 * 4);
  memory.fill(freq, 0, 288 * 4);
  let pixels: u32 = 0;
  let zeros: u32 = 0;
  let any = false;
  for (let y: u32 = 0; y < rows; y++) {
    const row = from + <usize>y * stride;
    for (let x: u32 = 0; x < width; ) {
      const word = wordAt(kind, row, x);
      if (word == 0) {
        const end = endOfZeros(kind, row, x + 1, width);
        const pixelsHere = end - x;
        x = end;
        if (pixelsHere < shortestRun(kind)) zeros += pixelsHere * (kind == 1 ? 2 : 6);
        else {
          any = true;
          zeros += 1;
          for (let left = pixelsHere * (kind == 1 ? 2 : 6) - 1; left > 0; ) {
            const take = nextMatch(left);
            const at = freq + (symbolOf(take) << 2);
            store<u32>(at, load<u32>(at) + 1);
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
  store<u32>(freq + (filter << 2), load<u32>(freq + (filter << 2)) + rows);
  store<u32>(freq + (END << 2), 1);
  return any;
}

/** Bits that the band takes with its code, without the head. */
function codedBits(): u64 {
  let bits: u64 = 0;
  for (let i: u32 = 0; i < 286; i++) {
    const extra: u32 = i < 265 || i == 285 ? 0 : (i - 261) >> 2;
    bits += <u64>load<u32>(freq + (i << 2)) * (load<u8>(lens + i) + extra + (i > END ? 1 : 0));
  }
  return bits;
}

// @ts-ignore: decorator
@inline
function entryOf(table: usize, d: u32, first: u64): u64 {
  const i = (d + 0x400) & 0xffff;
  if (i < 0x800) return load<u64>(table + (<usize>i << 3));
  const entry = joined(load<u32>(literal + ((d >> 8) << 2)), load<u32>(literal + ((d & 255) << 2)));
  return first == 0 ? entry : joined(first, entry);
}

// @ts-ignore: decorator
@inline
function codeRows(kind: u32, from: usize, rows: u32, stride: usize, width: u32, filter: u32): void {
  const zero = <u64>load<u32>(literal);
  const zeros = joined(zero, zero);
  // Two zeros and four bytes may be more than 56 bits where zeros are rare: then a pixel goes out in two steps.
  const tight = kind == 2 && (zeros & 63) > 56 - 4 * LONGEST;
  let to = out;
  let acc = held;
  // Only the lowest six bits count, in shifts as here: entries are added with their codes above.
  let n = heldBits;
  for (let y: u32 = 0; y < rows; y++) {
    const row = from + <usize>y * stride;
    const head = <u64>load<u32>(literal + (filter << 2));
    acc |= (head >> 8) << n;
    n += head;
    for (let x: u32 = 0; x < width; ) {
      store<u64>(to, acc);
      acc >>= n & 56;
      to += <usize>((n & 56) >> 3);
      n &= 7;
      const word = wordAt(kind, row, x);
      if (word != 0) {
        x++;
        if (kind == 1) {
          const e = entryOf(pairs, <u32>word, 0);
          acc |= (e >> 8) << n;
          n += e;
        } else if (kind == 2) {
          const e = entryOf(afterZeros, <u32>word & 0xffff, zeros);
          acc |= (e >> 8) << n;
          n += e;
          if (tight) {
            store<u64>(to, acc);
            acc >>= n & 56;
            to += <usize>((n & 56) >> 3);
            n &= 7;
          }
          const f = entryOf(pairs, <u32>word >> 16, 0);
          acc |= (f >> 8) << n;
          n += f;
        } else {
          const e = entryOf(pairs, <u32>word & 0xffff, 0);
          acc |= (e >> 8) << n;
          n += e;
          const f = entryOf(pairs, <u32>word >> 16, 0);
          acc |= (f >> 8) << n;
          n += f;
          store<u64>(to, acc);
          acc >>= n & 56;
          to += <usize>((n & 56) >> 3);
          n &= 7;
          const g = entryOf(pairs, <u32>(word >> 32), 0);
          acc |= (g >> 8) << n;
          n += g;
        }
        continue;
      }
      const end = endOfZeros(kind, row, x + 1, width);
      const pixels = end - x;
      x = end;
      let left = pixels * (kind == 1 ? 2 : 6);
      if (pixels < shortestRun(kind))
        for (; left > 0; left -= 2) {
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
        for (left -= 1; left > 0; ) {
          store<u64>(to, acc);
          acc >>= n & 56;
          to += <usize>((n & 56) >> 3);
          n &= 7;
          const take = nextMatch(left);
          const e = <u64>load<u32>(runs + (take << 2));
          acc |= (e >> 8) << n;
          n += e;
          left -= take;
        }
      }
    }
    store<u64>(to, acc);
    acc >>= n & 56;
    to += <usize>((n & 56) >> 3);
    n &= 7;
  }
  out = to;
  held = acc;
  heldBits = n;
}

/** The band as it is, in stored blocks. */
function storeRows(kind: u32, from: usize, rows: u32, stride: usize, width: u32, filter: u32, last: u32): void {
  const samples: u32 = kind == 1 ? 1 : 3;
  let left = rows * (1 + 2 * samples * width);
  let room: u32 = 0;
  for (let y: u32 = 0; y < rows; y++) {
    const row = from + <usize>y * stride;
    const bytes: u32 = 1 + 2 * samples * width;
    for (let i: u32 = 0; i < bytes; i++) {
      if (room == 0) {
        room = min<u32>(left, 65_535);
        left -= room;
        putBits(left == 0 ? last : 0, 3);
        if (heldBits > 0) putBits(0, 8 - heldBits);
        putBits(room | ((~room & 0xffff) << 16), 32);
      }
      room--;
      if (i == 0) store<u8>(out, filter);
      else {
        const x = (i - 1) / (2 * samples);
        const k = (i - 1 - x * 2 * samples) >> 1;
        const word = wordAt(kind, row, x);
        const sample = kind == 2 ? (k == 0 ? 0 : word >> (16 * (k - 1))) : word >> (16 * k);
        store<u8>(out, (i & 1) == 1 ? sample >> 8 : sample);
      }
      out += 1;
    }
  }
}

function countBand(kind: u32, from: usize, rows: u32, stride: usize, filter: u32): bool {
  if (kind == 1) return countRows(1, from, rows, stride, windowWidth, filter);
  if (kind == 2) return countRows(2, from, rows, stride, windowWidth, filter);
  return countRows(3, from, rows, stride, windowWidth, filter);
}

function codeBand(kind: u32, from: usize, rows: u32, stride: usize, filter: u32): void {
  if (kind == 1) codeRows(1, from, rows, stride, windowWidth, filter);
  else if (kind == 2) codeRows(2, from, rows, stride, windowWidth, filter);
  else codeRows(3, from, rows, stride, windowWidth, filter);
}

function putBand(kind: u32, from: usize, rows: u32, stride: usize, filter: u32, last: u32): void {
  const raw = <u64>rows * (1 + 2 * (kind == 1 ? 1 : 3) * windowWidth);
  const withRuns = countBand(kind, from, rows, stride, filter);
  makeCode(freq, 286, LONGEST, lens, codes);
  if (codedBits() + 800 > (raw + 5 * (raw / 65_535 + 1)) << 3) return storeRows(kind, from, rows, stride, windowWidth, filter, last);
  putHead(last);
  makeEntries(withRuns);
  codeBand(kind, from, rows, stride, filter);
  putBits(load<u16>(codes + (END << 1)), load<u8>(lens + END));
}

// ---- the whole

function bandRows(width: u32, kind: u32): u32 {
  return max<u32>(1, BAND_BYTES / (1 + width * (kind == 1 ? 2 : 6)));
}

function rowRoom(width: u32): usize {
  return ((<usize>width + 15) & ~7) << 1;
}

/** Bytes that `encode` needs at `work`. */
export function workBytes(width: u32, height: u32, kind: u32): usize {
  return rowRoom(width) * (10 + 4 * min<u32>(height, bandRows(width, kind))) + 64;
}

/** Bytes that `encode` may write. */
export function roomFor(width: u32, height: u32, kind: u32): usize {
  const raw = <usize>height * (1 + <usize>width * (kind == 1 ? 2 : 6));
  return raw + (raw / 65_535 + height / bandRows(width, kind) + 2) * 8 + 2 * (<usize>BAND_BYTES + 6 * <usize>width) + 4096;
}

/**
 * The zlib stream of a window of planes of `width` × `height`; where it reaches over an edge it is zero. `kind` 1 is the grey of `b`, 2 RGB
 * with a red of zeros, 3 RGB; a plane at 0 is zero everywhere. Returns the bytes written at `to`.
 */
export function encode(
  kind: u32,
  r: usize,
  g: usize,
  b: usize,
  width: u32,
  height: u32,
  left: i32,
  top: i32,
  columns: u32,
  rows: u32,
  work: usize,
  to: usize,
): usize {
  planeWidth = width;
  planeHeight = height;
  windowLeft = left;
  windowTop = top;
  windowWidth = columns;
  rowBytes = rowRoom(columns);
  zeroRow = work;
  spareRows = work + rowBytes;
  memory.fill(zeroRow, 0, rowBytes);
  const filtered = spareRows + 6 * rowBytes;
  const band = filtered + 3 * rowBytes;
  const stride = rowBytes * (kind == 1 ? 1 : kind == 2 ? 2 : 4);
  const samples: u32 = kind == 1 ? 1 : 3;
  const bytes = 1 + 2 * <u64>samples * columns;
  out = to;
  held = 0;
  heldBits = 0;
  adlerA = 1;
  adlerB = 0;
  putBits(0x0178, 16);
  const filter = chooseFilter(r, g, b, rows);
  const most = bandRows(columns, kind);
  for (let first: u32 = 0; first < rows; first += most) {
    const here = min<u32>(most, rows - first);
    for (let i: u32 = 0; i < here; i++) {
      const y = <i32>(first + i);
      const target = band + <usize>i * stride;
      adlerB += bytes * adlerA;
      rowSum = 0;
      for (let k: u32 = 0; k < samples; k++) {
        const plane = kind == 1 ? b : k == 0 ? r : k == 1 ? g : b;
        if (kind == 2 && k == 0) continue;
        const at = kind == 1 ? target : filtered + <usize>k * rowBytes;
        filterRow(filter, rowAt(plane, k, y), rowAt(plane, k, y - 1), at);
        adlerSample(k, samples, bytes);
      }
      adlerB += bytes * filter;
      adlerA = (adlerA + filter + rowSum) % 65_521;
      adlerB %= 65_521;
      if (kind > 1) interleave(kind, filtered, target);
    }
    putBand(kind, band, here, stride, filter, first + here >= rows ? 1 : 0);
  }
  if (heldBits > 0) putBits(0, 8 - heldBits);
  store<u32>(out, bswap<u32>((<u32>adlerB << 16) | <u32>adlerA));
  return out + 4 - to;
}

/** Rows of residuals → words of pixels. */
function interleave(kind: u32, from: usize, to: usize): void {
  const second = from + rowBytes;
  const third = second + rowBytes;
  for (let i: usize = 0; i < rowBytes; i += 16) {
    const g = v128.load(second + i);
    const b = v128.load(third + i);
    const low = i16x8.shuffle(g, b, 0, 8, 1, 9, 2, 10, 3, 11);
    const high = i16x8.shuffle(g, b, 4, 12, 5, 13, 6, 14, 7, 15);
    if (kind == 2) {
      v128.store(to + 2 * i, low);
      v128.store(to + 2 * i, high, 16);
      continue;
    }
    const r = v128.load(from + i);
    const nothing = i16x8.splat(0);
    const rg = i16x8.shuffle(r, g, 0, 8, 1, 9, 2, 10, 3, 11);
    const rgHigh = i16x8.shuffle(r, g, 4, 12, 5, 13, 6, 14, 7, 15);
    const b0 = i16x8.shuffle(b, nothing, 0, 8, 1, 9, 2, 10, 3, 11);
    const b0High = i16x8.shuffle(b, nothing, 4, 12, 5, 13, 6, 14, 7, 15);
    v128.store(to + 4 * i, i32x4.shuffle(rg, b0, 0, 4, 1, 5));
    v128.store(to + 4 * i, i32x4.shuffle(rg, b0, 2, 6, 3, 7), 16);
    v128.store(to + 4 * i, i32x4.shuffle(rgHigh, b0High, 0, 4, 1, 5), 32);
    v128.store(to + 4 * i, i32x4.shuffle(rgHigh, b0High, 2, 6, 3, 7), 48);
  }
}
