// Parquet DELTA_BINARY_PACKED for INT32 (parquet-format, Encodings.md) in blocks of 128 values, 4 miniblocks of 32 each: what nearly every
// writer makes. Arithmetic is modulo 2^32, as in other writers, so every int32 sequence round-trips.

import { readVarint, varintEnd, varintValue, writeVarint } from "./_varint";

/** Deltas of one block on their way into bits. */
const block: usize = memory.data(512, 16);

/** For widths 1–25 and both bit phases of four values: 16 bytes of swizzle indices, then four multipliers. */
const unpackTable: usize = memory.data(26 * 2 * 32, 16);
let tableReady = false;

// @ts-ignore: decorator
@inline
function zigzag(value: i32): u32 {
  return <u32>((value << 1) ^ (value >> 31));
}

/** Bits that hold every of the 32 values at `at`. */
// @ts-ignore: decorator
@inline
function widthOf(at: usize): u32 {
  let any = v128.load(at);
  for (let i: usize = 16; i < 128; i += 16) any = v128.or(any, v128.load(at + i));
  any = v128.or(any, i8x16.shuffle(any, any, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return 32 - <u32>clz<u32>(i32x4.extract_lane(any, 0) | i32x4.extract_lane(any, 1));
}

/** Packs four values into 4·w bits, w ≤ 16. */
// @ts-ignore: decorator
@inline
function quad(at: usize, w: u32): u64 {
  const v = v128.load(at);
  const pairs = v128.or(
    v128.and(v, i64x2.splat(0xffffffff)),
    i64x2.shl(i64x2.shr_u(v, 32), w),
  );
  return <u64>i64x2.extract_lane(pairs, 0) | (<u64>i64x2.extract_lane(pairs, 1) << (2 * w));
}

/** Packs the 32 values at `from` into 4·w bytes; writes up to 16 bytes beyond them. */
function pack(from: usize, w: u32, to: usize): void {
  if (w <= 16) {
    for (let i: usize = 0; i < 128; i += 32) {
      const low = quad(from + i, w);
      const high = quad(from + i + 16, w);
      if (w == 16) {
        store<u64>(to, low);
        store<u64>(to, high, 8);
      } else {
        store<u64>(to, low | (high << (4 * w)));
        store<u64>(to, high >> (64 - 4 * w), 8);
      }
      to += w;
    }
    return;
  }
  let bits: u64 = 0;
  let held: u32 = 0;
  for (let i: usize = 0; i < 128; i += 4) {
    bits |= <u64>load<u32>(from + i) << held;
    held += w;
    if (held >= 32) {
      store<u32>(to, <u32>bits);
      to += 4;
      bits >>= 32;
      held -= 32;
    }
  }
}

/** Encodes `count` int32 at `from`, each plus `add`; returns the end. Writes up to 16 bytes beyond it. */
export function encodeDelta(from: usize, count: u32, add: i32, to: usize): usize {
  to = writeVarint(to, 128);
  to = writeVarint(to, 4);
  to = writeVarint(to, count);
  to = writeVarint(to, count == 0 ? 0 : zigzag(load<i32>(from) + add));
  let left = count == 0 ? 0 : count - 1;
  from += 4;
  while (left > 0) {
    const n: u32 = left < 128 ? left : 128;
    let least: i32;
    if (n == 128) {
      let lowest = i32x4.splat(i32.MAX_VALUE);
      for (let i: usize = 0; i < 512; i += 16) {
        const delta = i32x4.sub(v128.load(from + i), v128.load(from + i - 4));
        v128.store(block + i, delta);
        lowest = i32x4.min_s(lowest, delta);
      }
      lowest = i32x4.min_s(lowest, i8x16.shuffle(lowest, lowest, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
      least = min<i32>(i32x4.extract_lane(lowest, 0), i32x4.extract_lane(lowest, 1));
    } else {
      least = i32.MAX_VALUE;
      for (let i: usize = 0; i < <usize>n * 4; i += 4) {
        const delta = load<i32>(from + i) - load<i32>(from + i - 4);
        store<i32>(block + i, delta);
        if (delta < least) least = delta;
      }
      for (let i: usize = <usize>n * 4; i < 512; i += 4) store<i32>(block + i, least);
    }
    const all = i32x4.splat(least);
    for (let i: usize = 0; i < 512; i += 16) v128.store(block + i, i32x4.sub(v128.load(block + i), all));
    to = writeVarint(to, zigzag(least));
    const widths = to;
    to += 4;
    for (let mini: u32 = 0; mini < 4; mini++) {
      const used = mini * 32 < n;
      const w = used ? widthOf(block + mini * 128) : 0;
      store<u8>(widths + mini, <u8>w);
      if (w == 0) continue;
      pack(block + mini * 128, w, to);
      to += 4 * w;
    }
    from += 512;
    left -= n;
  }
  return to;
}

function makeTable(): void {
  for (let w: u32 = 1; w <= 25; w++) {
    for (let phase: u32 = 0; phase < 2; phase++) {
      const at = unpackTable + (w * 2 + phase) * 32;
      for (let k: u32 = 0; k < 4; k++) {
        const bit = phase * 4 + k * w;
        for (let b: u32 = 0; b < 4; b++) store<u8>(at + k * 4 + b, <u8>((bit >> 3) + b));
        // Shifts the value to the top of its lane, past the bits of its neighbours. Where phase 1 does not occur the entry is not used.
        const up = 32 - w - (bit & 7);
        store<u32>(at + 16 + k * 4, <i32>up >= 0 ? 1 << up : 0);
      }
    }
  }
  tableReady = true;
}

/** Four running sums of four deltas. */
// @ts-ignore: decorator
@inline
function sums(deltas: v128): v128 {
  const zero = i32x4.splat(0);
  let x = i32x4.add(deltas, i8x16.shuffle(zero, deltas, 0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27));
  x = i32x4.add(x, i8x16.shuffle(zero, x, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  return x;
}

// @ts-ignore: decorator
@inline
function lastLane(v: v128): v128 {
  return i8x16.shuffle(v, v, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15, 12, 13, 14, 15);
}

/** Undoes 32 packed deltas; returns the last value in all lanes. Reads up to 16 bytes beyond the packed ones. */
function unpack(from: usize, w: u32, least: i32, carry: v128, to: usize): v128 {
  const base = i32x4.splat(least);
  if (w == 0) {
    const ramp = sums(base);
    for (let i: usize = 0; i < 128; i += 16) {
      const x = i32x4.add(ramp, carry);
      v128.store(to + i, x);
      carry = lastLane(x);
    }
    return carry;
  }
  if (w <= 25) {
    const even = unpackTable + w * 64;
    const odd = w & 1 ? even + 32 : even;
    const swizzle0 = v128.load(even);
    const scale0 = v128.load(even, 16);
    const swizzle1 = v128.load(odd);
    const scale1 = v128.load(odd, 16);
    const down = 32 - w;
    const half = (4 * w) >> 3;
    for (let i: usize = 0; i < 128; i += 32) {
      let x = i32x4.shr_u(i32x4.mul(i8x16.swizzle(v128.load(from), swizzle0), scale0), down);
      x = i32x4.add(sums(i32x4.add(x, base)), carry);
      v128.store(to + i, x);
      let y = i32x4.shr_u(i32x4.mul(i8x16.swizzle(v128.load(from + half), swizzle1), scale1), down);
      y = i32x4.add(sums(i32x4.add(y, base)), lastLane(x));
      v128.store(to + i, y, 16);
      carry = lastLane(y);
      from += w;
    }
    return carry;
  }
  let value = i32x4.extract_lane(carry, 0);
  const mask: u64 = ((<u64>1) << w) - 1;
  for (let i: u32 = 0; i < 32; i++) {
    const bit = i * w;
    value += <i32>((load<u64>(from + (bit >> 3)) >> (bit & 7)) & mask) + least;
    store<i32>(to + i * 4, value);
  }
  return i32x4.splat(value);
}

/**
 * Decodes exactly `count` int32 from `from`..`end` to `to`; returns the end, 0 when the bytes say anything else. Reads up to 16 bytes beyond `end` and
 * writes up to 128 bytes beyond the values.
 */
export function decodeDelta(from: usize, end: usize, count: u32, to: usize): usize {
  if (!tableReady) makeTable();
  if (!readVarint(from, end)) return 0;
  const size = varintValue;
  if (!readVarint(varintEnd, end)) return 0;
  const minis = varintValue;
  if (!readVarint(varintEnd, end) || varintValue != count) return 0;
  if (!readVarint(varintEnd, end)) return 0;
  if (size != 128 || minis != 4) return 0;
  let at = varintEnd;
  if (count == 0) return at;
  let value = <i32>(varintValue >> 1) ^ -(<i32>(varintValue & 1));
  store<i32>(to, value);
  to += 4;
  let carry = i32x4.splat(value);
  let left = count - 1;
  while (left > 0) {
    if (!readVarint(at, end)) return 0;
    const least = <i32>(varintValue >> 1) ^ -(<i32>(varintValue & 1));
    const widths = varintEnd;
    at = widths + 4;
    if (at > end) return 0;
    for (let mini: u32 = 0; mini < 4 && left > 0; mini++) {
      const w = <u32>load<u8>(widths + mini);
      if (w > 32 || at + 4 * w > end) return 0;
      carry = unpack(at, w, least, carry, to);
      const n: u32 = left < 32 ? left : 32;
      at += 4 * w;
      to += n * 4;
      left -= n;
    }
  }
  return at;
}
