// A zlib stream (RFC 1950, 1951) for shuffled numbers: what repeats there is the byte before. Runs of one byte become references of
// distance 1, everything else literals of a code made for its block; a block that would not shrink is stored. Planes of the shuffle
// differ from each other, so each begins a block of its own. The same bytes give the same stream everywhere, which zlib does not promise.

import { adler32 } from "./_checksum";
import { makeCode } from "./_huffman";

const blockBytes: u32 = 65_536;
/** Four codes fit into what one write takes: 4 x 13 bits and at most 7 waiting. */
const codeBits: u32 = 13;
const symbolCount: u32 = 286;
const histogram: usize = memory.data(4 * 256 * 4, 16);
const frequencies: usize = memory.data(4 * 288, 16);
const lengths: usize = memory.data(288 + 32, 16);
const codes: usize = memory.data(2 * 288, 16);
/** Code and length of a literal together: code in the low half, length in the high half. */
const literalCodes: usize = memory.data(4 * 256, 16);
/** Per length of a run up to 258: bits of code, extra bits and distance together (u32), and how many (u8). */
const runCodes: usize = memory.data(4 * 260, 16);
const runBits: usize = memory.data(260, 16);
const runSymbol: usize = memory.data(260, 16);
const lengthFrequencies: usize = memory.data(4 * 20, 16);
const lengthLengths: usize = memory.data(20, 16);
const lengthCodes: usize = memory.data(2 * 20, 16);
const headerSymbols: usize = memory.data(2 * 340, 16);
/** What a block is made of: so many literals, then a run of so many bytes more (u32 each). */
const parts: usize = memory.data(8 * 22_016, 16);

const order = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);
const lengthBase = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const lengthExtra = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);

let out: usize = 0;
let bits: u64 = 0;
let held: u64 = 0;

/** No stream is longer: all blocks stored, one at least for every plane. */
export function deflateBound(length: u32, planes: u32): u32 {
  return length + 6 + 5 * (length / blockBytes + planes + 2);
}

/**
 * @param planes bytes of an element: so many parts of the input differ in kind
 * @returns bytes written
 */
export function deflate(from: usize, length: u32, to: usize, planes: u32): u32 {
  prepare();
  store<u16>(to, 0x0178);
  out = to + 2;
  bits = 0;
  held = 0;
  const end = from + length;
  const plane: u32 = planes > 1 && length / planes >= 1024 ? length / planes : length;
  let at = from;
  if (length == 0) storedBlock(at, 0, true);
  while (at < end) {
    const inPlane = plane - <u32>(at - from) % plane;
    const size = min<u32>(min<u32>(inPlane, blockBytes), <u32>(end - at));
    block(at, size, at + size == end);
    at += size;
  }
  flushByte();
  store<u32>(out, bswap<u32>(adler32(from, length)));
  return <u32>(out + 4 - to);
}

function prepare(): void {
  if (load<u8>(runSymbol, 258) != 0) return;
  for (let k: u32 = 0; k < 29; k++) {
    const base: u32 = load<u16>(lengthBase + k * 2);
    for (let i: u32 = 0; i < 1 << load<u8>(lengthExtra + k) && base + i <= 258; i++) {
      store<u8>(runSymbol + base + i, <u8>k);
    }
  }
}

// @ts-ignore: decorator
@inline
function put(value: u64, count: u64): void {
  bits |= value << held;
  held += count;
}

/** Whole bytes that wait; fewer than 8 bits stay. */
// @ts-ignore: decorator
@inline
function write(): void {
  store<u64>(out, bits);
  const whole = held >> 3;
  out += <usize>whole;
  // Shifting by 64 would do nothing; fewer than 64 bits ever wait.
  bits >>= whole << 3;
  held &= 7;
}

function flushByte(): void {
  if (held > 0) {
    store<u8>(out++, <u8>bits);
    bits = 0;
    held = 0;
  }
}

function storedBlock(from: usize, length: u32, last: bool): void {
  for (;;) {
    const size = min<u32>(length, 65_535);
    put(<u64>(last && size == length), 3);
    write();
    flushByte();
    store<u16>(out, <u16>size);
    store<u16>(out, <u16>~size, 2);
    memory.copy(out + 4, from, size);
    out += 4 + size;
    from += size;
    length -= size;
    if (length == 0) return;
  }
}

function block(from: usize, length: u32, last: bool): void {
  const constant = isConstant(from, length);
  if (constant) {
    memory.fill(frequencies, 0, 4 * 288);
    store<u32>(frequencies + (<usize>load<u8>(from) << 2), length);
  } else count(from, length);
  // Sum of squares: the probability that two bytes are alike. Below 1/225 no code saves more than 2 %.
  let squares: u64 = 0;
  let most: u32 = 0;
  for (let i: u32 = 0; i < 256; i++) {
    const value = load<u32>(frequencies + i * 4);
    squares += <u64>value * value;
    most = max(most, value);
  }
  if (length >= 512 && squares * 225 < <u64>length * length) return storedBlock(from, length, last);

  const shortest = shortestRun(length, most);
  const partCount = constant && length > shortest ? oneRun(length) : findRuns(from, length, shortest);
  subtractRuns(from, partCount);
  store<u32>(frequencies, 1, 4 * 256);
  makeCode(frequencies, symbolCount, codeBits, lengths, codes);
  const headerCount = planHeader();
  const size = plannedBits(headerCount);
  if (size + 16 > (<u64>length << 3) + 40) return storedBlock(from, length, last);
  put(<u64>last | 4, 3);
  writeHeader(headerCount);
  writeParts(from, partCount);
  put(load<u16>(codes, 512), load<u8>(lengths, 256));
  write();
}

/** The high bytes of small numbers: half of what a matrix of counts has. */
function isConstant(from: usize, length: u32): bool {
  const end = from + length;
  const first = i8x16.splat(load<u8>(from));
  let at = from;
  for (; at + 16 <= end; at += 16) if (!i8x16.all_true(i8x16.eq(v128.load(at), first))) return false;
  for (; at < end; at++) if (load<u8>(at) != load<u8>(from)) return false;
  return true;
}

/** A literal and all the rest. */
function oneRun(length: u32): u32 {
  store<u32>(parts, 1);
  store<u32>(parts, length - 1, 4);
  store<u64>(parts, 0, 8);
  return 2;
}

/** Frequencies of bytes; four tables, so that equal neighbours do not wait for each other. */
function count(from: usize, length: u32): void {
  memory.fill(histogram, 0, 4096);
  memory.fill(frequencies, 0, 4 * 288);
  const end = from + length;
  let at = from;
  for (; at + 4 <= end; at += 4) {
    const word = load<u32>(at);
    bump(histogram + ((word & 255) << 2));
    bump(histogram + 1024 + (((word >> 8) & 255) << 2));
    bump(histogram + 2048 + (((word >> 16) & 255) << 2));
    bump(histogram + 3072 + ((word >> 24) << 2));
  }
  for (; at < end; at++) bump(histogram + (<usize>load<u8>(at) << 2));
  for (let i: usize = 0; i < 1024; i += 16) {
    const sum = i32x4.add(
      i32x4.add(v128.load(histogram + i), v128.load(histogram + i, 1024)),
      i32x4.add(v128.load(histogram + i, 2048), v128.load(histogram + i, 3072)),
    );
    v128.store(frequencies + i, sum);
  }
}

// @ts-ignore: decorator
@inline
function bump(at: usize): void {
  store<u32>(at, load<u32>(at) + 1);
}

/** A reference costs some 7 bits; of a byte that is most of the block, as many literals cost less. */
function shortestRun(length: u32, most: u32): u32 {
  if (most * 4 >= length * 3) return 10;
  if (most * 2 >= length) return 7;
  if (most * 4 >= length) return 5;
  return 3;
}

/** Runs of at least `shortest` bytes that equal the byte before. @returns number of parts */
function findRuns(from: usize, length: u32, shortest: u32): u32 {
  let part = parts;
  const end = from + length;
  let literal = from;
  let at = from + 1;
  // The byte before the block may be compared too, but a block that begins with a literal needs nothing of the one before.
  while (at < end) {
    // Positions that equal the one before, 64 at a time.
    let same: u64 = 0;
    if (at + 64 <= end) {
      same =
        <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(at - 1)))) |
        (<u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at, 16), v128.load(at - 1, 16)))) << 16) |
        (<u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at, 32), v128.load(at - 1, 32)))) << 32) |
        (<u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(at, 48), v128.load(at - 1, 48)))) << 48);
    } else {
      for (let i: u32 = 0; at + i < end && i < 64; i++) {
        if (load<u8>(at + i) == load<u8>(at + i - 1)) same |= <u64>1 << i;
      }
    }
    const width = min<u32>(64, <u32>(end - at));
    // Where a run of `shortest` may begin: three in a row, or one that goes on behind the window.
    let begins = same & ((same >> 1) | ((<u64>1) << 63)) & ((same >> 2) | ((<u64>3) << 62));
    let stop = at + width;
    while (begins != 0) {
      const start = at + <usize>ctz(begins);
      let runEnd = start + 1;
      const open = ~(same >> ctz(begins));
      const inWindow = <usize>ctz(open);
      runEnd = start + inWindow;
      if (runEnd >= stop) runEnd = extend(stop, end);
      const size = <u32>(runEnd - start);
      if (size >= shortest) {
        store<u32>(part, <u32>(start - literal));
        store<u32>(part, size, 4);
        part += 8;
        literal = runEnd;
      }
      if (runEnd >= stop) {
        stop = runEnd;
        break;
      }
      begins = begins & (<u64>-1 << <u64>(runEnd - at));
    }
    at = stop;
  }
  store<u32>(part, <u32>(end - literal));
  store<u32>(part, 0, 4);
  return <u32>(part - parts) / 8 + 1;
}

/** End of the run that reaches `at`. */
function extend(at: usize, end: usize): usize {
  while (at + 16 <= end) {
    const same = i8x16.bitmask(i8x16.eq(v128.load(at), v128.load(at - 1)));
    if (same != 0xffff) return at + ctz(~same);
    at += 16;
  }
  while (at < end && load<u8>(at) == load<u8>(at - 1)) at++;
  return at;
}

/** Bytes inside runs are no literals; their lengths are symbols of their own. Runs above 258 are several. */
function subtractRuns(from: usize, partCount: u32): void {
  let at = from;
  for (let i: u32 = 0; i < partCount; i++) {
    const part = parts + i * 8;
    at += load<u32>(part);
    let size = load<u32>(part, 4);
    if (size == 0) continue;
    const byte = frequencies + (<usize>load<u8>(at) << 2);
    store<u32>(byte, load<u32>(byte) - size);
    at += size;
    while (size > 0) {
      const piece = pieceOf(size);
      bump(frequencies + 4 * 257 + (<usize>load<u8>(runSymbol + piece) << 2));
      size -= piece;
    }
  }
}

/** The longest reference that leaves nothing or enough for another. */
// @ts-ignore: decorator
@inline
function pieceOf(size: u32): u32 {
  return size <= 258 ? size : size >= 261 ? 258 : 255;
}

/** Code lengths of the literal code and the two distance codes (only the first is used; two make it complete), as RFC 1951 packs them. */
function planHeader(): u32 {
  let last: u32 = symbolCount;
  while (last > 257 && load<u8>(lengths + last - 1) == 0) last--;
  store<u8>(lengths + last, 1);
  store<u8>(lengths + last, 1, 1);
  const total = last + 2;
  memory.fill(lengthFrequencies, 0, 80);
  let count: u32 = 0;
  for (let i: u32 = 0; i < total; ) {
    const length: u32 = load<u8>(lengths + i);
    let repeat: u32 = 1;
    while (i + repeat < total && load<u8>(lengths + i + repeat) == length) repeat++;
    i += repeat;
    if (length == 0) {
      while (repeat >= 3) {
        const piece = min<u32>(repeat, 138);
        count = addHeader(count, piece < 11 ? 17 : 18, piece < 11 ? piece - 3 : piece - 11);
        repeat -= piece;
      }
    } else {
      count = addHeader(count, length, 0);
      repeat--;
      while (repeat >= 3) {
        const piece = min<u32>(repeat, 6);
        count = addHeader(count, 16, piece - 3);
        repeat -= piece;
      }
    }
    for (; repeat > 0; repeat--) count = addHeader(count, length, 0);
  }
  // Takes back what stood in for the distance code.
  store<u8>(lengths + last, 0);
  store<u8>(lengths + last, 0, 1);
  makeCode(lengthFrequencies, 19, 7, lengthLengths, lengthCodes);
  store<u32>(headerSymbols, last, 4 * 169);
  return count;
}

function addHeader(count: u32, symbol: u32, extra: u32): u32 {
  store<u16>(headerSymbols + count * 2, <u16>(symbol | (extra << 8)));
  bump(lengthFrequencies + (<usize>symbol << 2));
  return count + 1;
}

// @ts-ignore: decorator
@inline
function headerExtra(symbol: u32): u32 {
  return symbol == 16 ? 2 : symbol == 17 ? 3 : symbol == 18 ? 7 : 0;
}

function plannedBits(headerCount: u32): u64 {
  let size: u64 = 17 + 19 * 3;
  for (let i: u32 = 0; i < headerCount; i++) {
    const symbol: u32 = load<u8>(headerSymbols + i * 2);
    size += load<u8>(lengthLengths + symbol) + headerExtra(symbol);
  }
  for (let i: u32 = 0; i < symbolCount; i++) {
    const extra: u32 = i > 256 ? load<u8>(lengthExtra + i - 257) + 1 : 0;
    size += <u64>load<u32>(frequencies + i * 4) * (load<u8>(lengths + i) + extra);
  }
  return size;
}

function writeHeader(headerCount: u32): void {
  const last = load<u32>(headerSymbols, 4 * 169);
  let lengthCount: u32 = 19;
  while (lengthCount > 4 && load<u8>(lengthLengths + load<u8>(order + lengthCount - 1)) == 0) lengthCount--;
  put(last - 257, 5);
  put(1, 5);
  put(lengthCount - 4, 4);
  write();
  for (let i: u32 = 0; i < lengthCount; i++) {
    put(load<u8>(lengthLengths + load<u8>(order + i)), 3);
    write();
  }
  for (let i: u32 = 0; i < headerCount; i++) {
    const symbol: u32 = load<u8>(headerSymbols + i * 2);
    put(load<u16>(lengthCodes + symbol * 2), load<u8>(lengthLengths + symbol));
    put(load<u8>(headerSymbols + i * 2, 1), headerExtra(symbol));
    write();
  }
}

function writeParts(from: usize, partCount: u32): void {
  for (let i: u32 = 0; i < 256; i++) {
    store<u32>(literalCodes + i * 4, load<u16>(codes + i * 2) | (<u32>load<u8>(lengths + i) << 16));
  }
  for (let size: u32 = 3; size <= 258; size++) {
    const k: u32 = load<u8>(runSymbol + size);
    const length: u32 = load<u8>(lengths + 257 + k);
    const extra = size - load<u16>(lengthBase + k * 2);
    // The distance code is one 0 bit.
    store<u32>(runCodes + size * 4, load<u16>(codes + (257 + k) * 2) | (extra << length));
    store<u8>(runBits + size, <u8>(length + load<u8>(lengthExtra + k) + 1));
  }
  let at = from;
  let to = out;
  let buffer = bits;
  let have = held;
  for (let i: u32 = 0; i < partCount; i++) {
    const part = parts + i * 8;
    const end = at + load<u32>(part);
    for (; at + 4 <= end; at += 4) {
      const word = load<u32>(at);
      const a = load<u32>(literalCodes + ((word & 255) << 2));
      const b = load<u32>(literalCodes + (((word >> 8) & 255) << 2));
      const c = load<u32>(literalCodes + (((word >> 16) & 255) << 2));
      const d = load<u32>(literalCodes + ((word >> 24) << 2));
      // Two pairs, joined, so that the buffer waits for one shift only.
      const ab = <u64>(a & 0xffff) | (<u64>(b & 0xffff) << <u64>(a >> 16));
      const cd = <u64>(c & 0xffff) | (<u64>(d & 0xffff) << <u64>(c >> 16));
      const abBits = <u64>((a >> 16) + (b >> 16));
      buffer |= (ab | (cd << abBits)) << have;
      have += abBits + <u64>((c >> 16) + (d >> 16));
      store<u64>(to, buffer);
      to += <usize>(have >> 3);
      buffer >>= have & 56;
      have &= 7;
    }
    for (; at < end; at++) {
      const a = load<u32>(literalCodes + (<usize>load<u8>(at) << 2));
      buffer |= <u64>(a & 0xffff) << have;
      have += <u64>(a >> 16);
    }
    store<u64>(to, buffer);
    to += <usize>(have >> 3);
    buffer >>= have & 56;
    have &= 7;
    let size = load<u32>(part, 4);
    at += size;
    while (size > 0) {
      const piece = pieceOf(size);
      buffer |= <u64>load<u32>(runCodes + piece * 4) << have;
      have += <u64>load<u8>(runBits + piece);
      store<u64>(to, buffer);
      to += <usize>(have >> 3);
      buffer >>= have & 56;
      have &= 7;
      size -= piece;
    }
  }
  out = to;
  bits = buffer;
  held = have;
}
