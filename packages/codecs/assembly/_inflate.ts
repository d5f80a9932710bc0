// zlib streams (RFC 1950, 1951). A 64-bit bit buffer, two-level tables, up to three literals in one entry of the first level, copies by
// vectors. The entry of the next symbol is looked up before the bytes of this one are copied. Bounds are looked at once per symbol run: both
// buffers have slack for what one round can do at most.

import { adler32 } from "./_checksum";
import { copyBack, preparePatterns } from "./_copy";

const literalBits: u32 = 11;
const distanceBits: u32 = 9;
/** The most entries that complete codes of 288 and 32 symbols, at most 15 bits long, need with these first levels is 2,342 and 594. */
const literalRoom: u32 = 2400;
const distanceRoom: u32 = 640;
const literals: usize = memory.data(4 * 2400, 16);
const distances: usize = memory.data(8 * 640, 16);
/** The code of the code lengths: one level of 7 bits. */
const lengthCodes: usize = memory.data(4 * 128, 16);
const lens: usize = memory.data(336, 16);
const sorted: usize = memory.data(2 * 320, 16);
const counts: usize = memory.data(4 * 16, 16);
const starts: usize = memory.data(4 * 17, 16);

// Entries. Bits 0–4: bits to drop, extra bits included. Bits 6–7: literals alone (one to three), which are bits 8–31. Otherwise bit 5
// says that more is to be done, and bits 8–9 what: no such code, the end of the block, a second level (bits 10–13 its bits, 16–31 its
// place), or a length whose extra bits are not among those looked up. Lengths: bits 16–24, and if bit 29 is set, a literal comes first,
// bits 8–15; with extra bits still to be read, bits 16–24 are the base and 25–28 the bits without the extra ones. Distances have 64
// bits: 8–11 bits of the code alone, 16–31 mask of the extra bits, 32–63 base.
const isLiteral: u32 = 0xc0;
const isOther: u32 = 0x20;
const isWhich: u32 = 0x300;
const noCode: u32 = 0;
const endOfBlock: u32 = 0x100;
const secondLevel: u32 = 0x200;
const longLength: u32 = 0x300;

const kindLiteral: u32 = 0;
const kindDistance: u32 = 1;
const kindPlain: u32 = 2;

const order = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);
const lengthBase = memory.data<u16>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
]);
const lengthExtra = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
]);
const distanceBase = memory.data<u16>([
  1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193,
  12289, 16385, 24577,
]);
const distanceExtra = memory.data<u8>([
  0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
]);

// Where one block ends and the next begins.
let next: usize = 0;
let bits: u64 = 0;
let held: u64 = 0;
let written: usize = 0;

/**
 * @returns bytes written, or: -1 no zlib header, -2 the input ends too early, -3 unknown kind of block, -4 impossible code lengths,
 * -5 a code that does not exist, -6 a distance beyond the beginning, -7 more bytes than `room`, -8 checksum, -9 a stored block's length
 */
export function inflate(from: usize, length: u32, to: usize, room: u32): i32 {
  if (length < 6) return -2;
  const head: u32 = bswap<u16>(load<u16>(from));
  if ((head & 0x0f00) != 0x0800 || head >> 12 > 7 || head & 0x20 || head % 31 != 0) return -1;
  const inEnd = from + length;
  const failed = blocks(from + 2, inEnd, to, room);
  if (failed != 0) return failed;
  const tail = position();
  if (tail + 4 > inEnd) return -2;
  const size = <u32>(written - to);
  return adler32(to, size) == bswap<u32>(load<u32>(tail)) ? <i32>size : -8;
}

function blocks(from: usize, inEnd: usize, to: usize, room: u32): i32 {
  preparePatterns();
  next = from;
  bits = 0;
  held = 0;
  written = to;
  let last: bool = false;
  while (!last) {
    refill();
    last = (bits & 1) != 0;
    const kind = <u32>(bits >> 1) & 3;
    drop(3);
    let failed: i32;
    if (kind == 0) failed = stored(inEnd, to + room);
    else if (kind == 3) failed = -3;
    else {
      failed = kind == 1 ? fixedTables() : dynamicTables(inEnd);
      if (failed == 0) failed = compressed(inEnd, to, to + room);
    }
    if (failed != 0) return failed;
    if (position() > inEnd) return -2;
  }
  return 0;
}

// @ts-ignore: decorator
@inline
function refill(): void {
  bits |= load<u64>(next) << held;
  next += <usize>((63 - held) >> 3);
  held |= 56;
}

// @ts-ignore: decorator
@inline
function drop(count: u64): void {
  bits >>= count;
  held -= count;
}

/** First byte that no bit was taken from. */
// @ts-ignore: decorator
@inline
function position(): usize {
  return next - <usize>(held >> 3);
}

function stored(inEnd: usize, outEnd: usize): i32 {
  drop(held & 7);
  let at = position();
  if (at + 4 > inEnd) return -2;
  const size: u32 = load<u16>(at);
  if ((size ^ load<u16>(at, 2)) != 0xffff) return -9;
  at += 4;
  if (at + size > inEnd) return -2;
  if (written + size > outEnd) return -7;
  memory.copy(written, at, size);
  written += size;
  next = at + size;
  bits = 0;
  held = 0;
  return 0;
}

/** Whole bytes that fit above the `have` bits of a buffer. */
// @ts-ignore: decorator
@inline
function taken(have: u32): usize {
  return 7 - ((have >> 3) & 7);
}

// @ts-ignore: decorator
@inline
function look(buffer: u64): u32 {
  return load<u32>(literals + ((<u32>buffer & ((1 << literalBits) - 1)) << 2));
}

function compressed(inEnd: usize, begin: usize, outEnd: usize): i32 {
  let at = next;
  let buffer = bits;
  // Only the low six bits count: whole entries are subtracted.
  let have = <u32>held;
  let out = written;
  const distanceMask: u32 = (1 << distanceBits) - 1;
  const limit = inEnd + 16;
  let failed: i32 = 0;
  buffer |= load<u64>(at) << have;
  at += taken(have);
  have |= 56;
  let entry = look(buffer);
  for (;;) {
    if (out > outEnd) {
      failed = -7;
      break;
    }
    if (at > limit) {
      failed = -2;
      break;
    }
    if (entry & isLiteral) {
      store<u32>(out, entry >> 8);
      out += (entry >> 6) & 3;
      buffer >>= entry & 31;
      have -= entry;
      entry = look(buffer);
      if (entry & isLiteral) {
        store<u32>(out, entry >> 8);
        out += (entry >> 6) & 3;
        buffer >>= entry & 31;
        have -= entry;
        buffer |= load<u64>(at) << have;
        at += taken(have);
        have |= 56;
        entry = look(buffer);
        continue;
      }
    }
    let size: usize;
    if (entry & isOther) {
      if ((entry & isWhich) == secondLevel) {
        have -= literalBits;
        buffer >>= literalBits;
        entry = load<u32>(literals + (((entry >> 16) + (<u32>buffer & ((1 << ((entry >> 10) & 15)) - 1))) << 2));
        if (entry & isLiteral) {
          store<u8>(out, entry >> 8);
          out++;
          buffer >>= entry & 31;
          have -= entry;
          buffer |= load<u64>(at) << have;
          at += taken(have);
          have |= 56;
          entry = look(buffer);
          continue;
        }
      }
      if (entry & isOther && (entry & isWhich) != longLength) {
        if ((entry & isWhich) == endOfBlock) {
          buffer >>= entry & 31;
          have -= entry & 31;
        } else failed = -5;
        break;
      }
      size = ((entry >> 16) & 511) + ((<u32>buffer & ((1 << (entry & 31)) - 1)) >> ((entry >> 25) & 15));
      buffer >>= entry & 31;
      have -= entry & 31;
      buffer |= load<u64>(at) << have;
      at += taken(have);
      have |= 56;
    } else {
      store<u8>(out, entry >> 8);
      out += entry >> 29;
      size = (entry >> 16) & 511;
      buffer >>= entry & 31;
      have -= entry;
    }
    let way = load<u64>(distances + ((<u32>buffer & distanceMask) << 3));
    if (way & isOther) {
      if ((way & isWhich) != secondLevel) {
        failed = -5;
        break;
      }
      buffer >>= distanceBits;
      have -= distanceBits;
      way = load<u64>(distances + ((<u32>(way >> 16) + (<u32>buffer & ((1 << (<u32>(way >> 10) & 15)) - 1))) << 3));
      if (way & isOther) {
        failed = -5;
        break;
      }
    }
    const distance: usize = <u32>(way >> 32) + (<u32>(buffer >> (<u32>way >> 8 & 15)) & (<u32>way >> 16));
    buffer >>= <u32>way & 31;
    have -= <u32>way;
    buffer |= load<u64>(at) << have;
    at += taken(have);
    have |= 56;
    entry = look(buffer);
    if (distance > out - begin) {
      failed = -6;
      break;
    }
    copyBack(out, distance, size);
    out += size;
  }
  next = at;
  bits = buffer;
  held = have & 63;
  written = out;
  return failed == 0 && out > outEnd ? -7 : failed;
}

function fixedTables(): i32 {
  memory.fill(lens, 8, 144);
  memory.fill(lens + 144, 9, 112);
  memory.fill(lens + 256, 7, 24);
  memory.fill(lens + 280, 8, 8);
  let failed = build(lens, 288, literals, literalBits, literalRoom, kindLiteral);
  if (failed != 0) return failed;
  packLiterals();
  memory.fill(lens, 5, 32);
  return build(lens, 32, distances, distanceBits, distanceRoom, kindDistance);
}

function dynamicTables(inEnd: usize): i32 {
  refill();
  const literalCount = <u32>(bits & 31) + 257;
  const distanceCount = <u32>((bits >> 5) & 31) + 1;
  const lengthCount = <u32>((bits >> 10) & 15) + 4;
  drop(14);
  if (literalCount > 286 || distanceCount > 30) return -4;
  memory.fill(lens, 0, 19);
  for (let i: u32 = 0; i < lengthCount; i++) {
    refill();
    store<u8>(lens + load<u8>(order + i), <u8>(bits & 7));
    drop(3);
  }
  let failed = build(lens, 19, lengthCodes, 7, 128, kindPlain);
  if (failed != 0) return failed;
  const total = literalCount + distanceCount;
  let before: u32 = 0;
  for (let i: u32 = 0; i < total; ) {
    if (next > inEnd + 8) return -2;
    refill();
    const entry = load<u32>(lengthCodes + (<usize>(bits & 127) << 2));
    if (entry == (isOther | noCode)) return -5;
    drop(entry & 31);
    const symbol = entry >> 16;
    if (symbol < 16) {
      store<u8>(lens + i++, <u8>symbol);
      before = symbol;
      continue;
    }
    let repeat: u32;
    if (symbol == 16) {
      if (i == 0) return -4;
      repeat = 3 + (<u32>bits & 3);
      drop(2);
    } else if (symbol == 17) {
      before = 0;
      repeat = 3 + (<u32>bits & 7);
      drop(3);
    } else {
      before = 0;
      repeat = 11 + (<u32>bits & 127);
      drop(7);
    }
    if (i + repeat > total) return -4;
    memory.fill(lens + i, <u8>before, repeat);
    i += repeat;
  }
  if (load<u8>(lens, 256) == 0) return -4;
  failed = build(lens, literalCount, literals, literalBits, literalRoom, kindLiteral);
  if (failed != 0) return failed;
  packLiterals();
  return build(lens + literalCount, distanceCount, distances, distanceBits, distanceRoom, kindDistance);
}

/** A symbol's entry for a code (or the part of it that the second level sees) of `length` bits. */
function entryOf(symbol: u32, kind: u32, length: u32): u64 {
  if (kind == kindPlain) return (symbol << 16) | length;
  if (kind == kindDistance) {
    if (symbol >= 30) return isOther | noCode;
    const extra: u32 = load<u8>(distanceExtra + symbol);
    return (<u64>load<u16>(distanceBase + symbol * 2) << 32) | (<u64>((1 << extra) - 1) << 16) | (length << 8) | (length + extra);
  }
  if (symbol < 256) return (symbol << 8) | 0x40 | length;
  if (symbol == 256) return isOther | endOfBlock | length;
  if (symbol > 285) return isOther | noCode;
  const k = symbol - 257;
  return (<u32>load<u16>(lengthBase + k * 2) << 16) | (length << 25) | (length + load<u8>(lengthExtra + k));
}

// @ts-ignore: decorator
@inline
function put(table: usize, i: u32, entry: u64, kind: u32): void {
  if (kind == kindDistance) store<u64>(table + (i << 3), entry);
  else store<u32>(table + (i << 2), <u32>entry);
}

function reverse(code: u32, length: u32): u32 {
  code = ((code & 0x5555) << 1) | ((code >> 1) & 0x5555);
  code = ((code & 0x3333) << 2) | ((code >> 2) & 0x3333);
  code = ((code & 0x0f0f) << 4) | ((code >> 4) & 0x0f0f);
  code = ((code & 0x00ff) << 8) | (code >> 8);
  return code >> (16 - length);
}

/**
 * Canonical code → table. As zlib does, a code may be incomplete only when it has a single code of one bit, or none at all (and then
 * only where it may go unused).
 */
function build(from: usize, symbols: u32, table: usize, tableBits: u32, room: u32, kind: u32): i32 {
  memory.fill(counts, 0, 64);
  for (let i: u32 = 0; i < symbols; i++) {
    const at = counts + (<usize>load<u8>(from + i) << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
  store<u32>(counts, 0);
  let longest: u32 = 0;
  let left: i32 = 1;
  let offset: u32 = 0;
  for (let length: u32 = 1; length < 16; length++) {
    const count = load<u32>(counts + length * 4);
    store<u32>(starts + length * 4, offset);
    offset += count;
    left = (left << 1) - <i32>count;
    if (left < 0) return -4;
    if (count != 0) longest = length;
  }
  if (left > 0) {
    if (kind == kindPlain || longest > 1) return -4;
    for (let i: u32 = 0; i < 1 << tableBits; i++) put(table, i, isOther | noCode, kind);
    if (longest == 0) return 0;
  }
  for (let i: u32 = 0; i < symbols; i++) {
    const length: u32 = load<u8>(from + i);
    if (length == 0) continue;
    const at = starts + length * 4;
    const place = load<u32>(at);
    store<u16>(sorted + place * 2, <u16>i);
    store<u32>(at, place + 1);
  }

  let code: u32 = 0;
  let index: u32 = 0;
  let free: u32 = 1 << tableBits;
  let prefix: u32 = 0xffffffff;
  let levelBits: u32 = 0;
  let level: u32 = 0;
  const until = max(longest, tableBits);
  for (let length: u32 = 1; length <= until; length++) {
    // A code of one bit less stands for both that continue it: the table so far, twice.
    if (length > 1 && length <= tableBits) {
      const half: usize = 1 << (length - 1 + (kind == kindDistance ? 3 : 2));
      memory.copy(table + half, table, half);
    }
    code <<= 1;
    let remaining = length <= longest ? load<u32>(counts + length * 4) : 0;
    for (; remaining > 0; remaining--, code++, index++) {
      const symbol: u32 = load<u16>(sorted + index * 2);
      const reversed = reverse(code, length);
      if (length <= tableBits) {
        put(table, reversed, entryOf(symbol, kind, length), kind);
        continue;
      }
      const low = reversed & ((1 << tableBits) - 1);
      if (low != prefix) {
        prefix = low;
        levelBits = length - tableBits;
        let used = remaining;
        while (used < 1 << levelBits) {
          levelBits++;
          used = (used << 1) + (tableBits + levelBits < 16 ? load<u32>(counts + (tableBits + levelBits) * 4) : 0);
        }
        level = free;
        free += 1 << levelBits;
        if (free > room) return -4;
        put(table, low, isOther | secondLevel | (levelBits << 10) | (level << 16), kind);
      }
      const entry: u64 = entryOf(symbol, kind, length - tableBits);
      const step: u32 = 1 << (length - tableBits);
      for (let i = reversed >> tableBits; i < 1 << levelBits; i += step) put(table, level + i, entry, kind);
    }
  }
  return 0;
}

/** Entries take in what follows, as far as its bits are among those looked up: one literal others or a length, a length its extra bits. */
function packLiterals(): void {
  for (let i: i32 = (1 << literalBits) - 1; i >= 0; i--) {
    // Going down, entries at smaller places still hold one symbol each.
    let entry = load<u32>(literals + (i << 2));
    if (!(entry & isLiteral)) {
      if (!(entry & isOther)) store<u32>(literals + (i << 2), withExtra(entry, i, 0));
      continue;
    }
    let used = entry & 31;
    const second = load<u32>(literals + ((i >> used) << 2));
    if (!(second & isLiteral)) {
      if (second & isOther) continue;
      const both = withExtra(second, i >> used, used);
      if (both & isOther) continue;
      store<u32>(literals + (i << 2), (both + used) | (entry & 0xff00) | (1 << 29));
      continue;
    }
    if (used + (second & 31) > literalBits) continue;
    used += second & 31;
    entry = (entry & 0xff00) | ((second & 0xff00) << 8) | 0x80;
    const third = load<u32>(literals + ((i >> used) << 2));
    if (third & isLiteral && used + (third & 31) <= literalBits) {
      used += third & 31;
      entry = (entry & 0xffff00) | ((third & 0xff00) << 16) | 0xc0;
    }
    store<u32>(literals + (i << 2), entry | used);
  }
}

/** The entry of a length whose code is the lowest bits of `code`, with its extra bits if `used` more bits leave room to look at them. */
// @ts-ignore: decorator
@inline
function withExtra(entry: u32, code: u32, used: u32): u32 {
  const all = entry & 31;
  if (used + all > literalBits) return entry | isOther | longLength;
  return ((entry & 0x1ff0000) + (((code & ((1 << all) - 1)) >> ((entry >> 25) & 15)) << 16)) | all;
}
