// HDF5's byte shuffle, both ways: byte k of every element together, for every k. Bytes behind the last whole element stay behind.

export function shuffle(from: usize, to: usize, length: u32, size: u32): void {
  const count = length / size;
  if (size == 2) shuffle2(from, to, count);
  else if (size == 4) shuffle4(from, to, count);
  else if (size == 8) shuffle8(from, to, count);
  else {
    for (let k: u32 = 0; k < size; k++) {
      const plane = to + k * count;
      let at = from + k;
      for (let i: u32 = 0; i < count; i++, at += size) store<u8>(plane + i, load<u8>(at));
    }
  }
  const whole = count * size;
  memory.copy(to + whole, from + whole, length - whole);
}

export function unshuffle(from: usize, to: usize, length: u32, size: u32): void {
  const count = length / size;
  if (size == 2) unshuffle2(from, to, count);
  else if (size == 4) unshuffle4(from, to, count);
  else if (size == 8) unshuffle8(from, to, count);
  else {
    for (let k: u32 = 0; k < size; k++) {
      const plane = from + k * count;
      let at = to + k;
      for (let i: u32 = 0; i < count; i++, at += size) store<u8>(at, load<u8>(plane + i));
    }
  }
  const whole = count * size;
  memory.copy(to + whole, from + whole, length - whole);
}

// @ts-ignore: decorator
@inline
function even(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

// @ts-ignore: decorator
@inline
function odd(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

// @ts-ignore: decorator
@inline
function low8(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function high8(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

// @ts-ignore: decorator
@inline
function low16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function high16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// @ts-ignore: decorator
@inline
function low32(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 4, 1, 5);
}

// @ts-ignore: decorator
@inline
function high32(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 2, 6, 3, 7);
}

/** What the vectors leave over. */
function rest(from: usize, to: usize, done: u32, count: u32, size: u32, forth: bool): void {
  for (let i = done; i < count; i++) {
    for (let k: u32 = 0; k < size; k++) {
      if (forth) store<u8>(to + k * count + i, load<u8>(from + i * size + k));
      else store<u8>(to + i * size + k, load<u8>(from + k * count + i));
    }
  }
}

function shuffle2(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + i * 2);
    const b = v128.load(from + i * 2, 16);
    v128.store(to + i, even(a, b));
    v128.store(to + count + i, odd(a, b));
  }
  rest(from, to, i, count, 2, true);
}

function unshuffle2(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + i);
    const b = v128.load(from + count + i);
    v128.store(to + i * 2, low8(a, b));
    v128.store(to + i * 2, high8(a, b), 16);
  }
  rest(from, to, i, count, 2, false);
}

function shuffle4(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const at = from + i * 4;
    const a = v128.load(at);
    const b = v128.load(at, 16);
    const c = v128.load(at, 32);
    const d = v128.load(at, 48);
    const ab = even(a, b);
    const cd = even(c, d);
    v128.store(to + i, even(ab, cd));
    v128.store(to + 2 * count + i, odd(ab, cd));
    const abOdd = odd(a, b);
    const cdOdd = odd(c, d);
    v128.store(to + count + i, even(abOdd, cdOdd));
    v128.store(to + 3 * count + i, odd(abOdd, cdOdd));
  }
  rest(from, to, i, count, 4, true);
}

function unshuffle4(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const a = v128.load(from + i);
    const b = v128.load(from + count + i);
    const c = v128.load(from + 2 * count + i);
    const d = v128.load(from + 3 * count + i);
    const ab = low8(a, b);
    const cd = low8(c, d);
    const at = to + i * 4;
    v128.store(at, low16(ab, cd));
    v128.store(at, high16(ab, cd), 16);
    const abHigh = high8(a, b);
    const cdHigh = high8(c, d);
    v128.store(at, low16(abHigh, cdHigh), 32);
    v128.store(at, high16(abHigh, cdHigh), 48);
  }
  rest(from, to, i, count, 4, false);
}

function shuffle8(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const at = from + i * 8;
    // Two passes of four planes: the even bytes of 128 bytes, then the odd ones.
    for (let parity: u32 = 0; parity < 2; parity++) {
      const shift = i16x8.splat(255);
      const p0 = pick(at, parity, shift);
      const p1 = pick(at + 32, parity, shift);
      const p2 = pick(at + 64, parity, shift);
      const p3 = pick(at + 96, parity, shift);
      const e0 = even(p0, p1);
      const e1 = even(p2, p3);
      v128.store(to + parity * count + i, even(e0, e1));
      v128.store(to + (parity + 4) * count + i, odd(e0, e1));
      const o0 = odd(p0, p1);
      const o1 = odd(p2, p3);
      v128.store(to + (parity + 2) * count + i, even(o0, o1));
      v128.store(to + (parity + 6) * count + i, odd(o0, o1));
    }
  }
  rest(from, to, i, count, 8, true);
}

/** Every second byte of 32, from the first or the second on. */
// @ts-ignore: decorator
@inline
function pick(at: usize, parity: u32, mask: v128): v128 {
  const shift = parity << 3;
  const a = v128.and(i16x8.shr_u(v128.load(at), shift), mask);
  const b = v128.and(i16x8.shr_u(v128.load(at, 16), shift), mask);
  return i8x16.narrow_i16x8_u(a, b);
}

function unshuffle8(from: usize, to: usize, count: u32): void {
  let i: u32 = 0;
  for (; i + 16 <= count; i += 16) {
    const p = from + i;
    const a = v128.load(p);
    const b = v128.load(p + count);
    const c = v128.load(p + 2 * count);
    const d = v128.load(p + 3 * count);
    const e = v128.load(p + 4 * count);
    const f = v128.load(p + 5 * count);
    const g = v128.load(p + 6 * count);
    const h = v128.load(p + 7 * count);
    const at = to + i * 8;
    half8(low8(a, b), low8(c, d), low8(e, f), low8(g, h), at);
    half8(high8(a, b), high8(c, d), high8(e, f), high8(g, h), at + 64);
  }
  rest(from, to, i, count, 8, false);
}

/** Pairs of bytes of eight elements → eight elements. */
// @ts-ignore: decorator
@inline
function half8(ab: v128, cd: v128, ef: v128, gh: v128, at: usize): void {
  const abcd = low16(ab, cd);
  const efgh = low16(ef, gh);
  v128.store(at, low32(abcd, efgh));
  v128.store(at, high32(abcd, efgh), 16);
  const abcdHigh = high16(ab, cd);
  const efghHigh = high16(ef, gh);
  v128.store(at, low32(abcdHigh, efghHigh), 32);
  v128.store(at, high32(abcdHigh, efghHigh), 48);
}
