// Projection, the filters of PNG and what packs them. Buffers lie behind heapBase(), each with 32 bytes of slack behind it.

export { deflate, deflateBound } from "../../codecs/assembly/_deflate";

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

// ---- projection: `into` = the greater of both, value by value; uint16, the type of cameras, 64 bytes a step

export function maxU8(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<u8>(v128.load(into + i), v128.load(from + i)));
}
export function maxI8(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<i8>(v128.load(into + i), v128.load(from + i)));
}
export function maxU16(into: usize, from: usize, bytes: usize): void {
  for (const end = into + bytes; into < end; into += 64, from += 64) {
    v128.store(into, v128.max<u16>(v128.load(into), v128.load(from)));
    v128.store(into, v128.max<u16>(v128.load(into, 16), v128.load(from, 16)), 16);
    v128.store(into, v128.max<u16>(v128.load(into, 32), v128.load(from, 32)), 32);
    v128.store(into, v128.max<u16>(v128.load(into, 48), v128.load(from, 48)), 48);
  }
}
export function maxI16(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<i16>(v128.load(into + i), v128.load(from + i)));
}
export function maxU32(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<u32>(v128.load(into + i), v128.load(from + i)));
}
export function maxI32(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<i32>(v128.load(into + i), v128.load(from + i)));
}
/** NaN wins, as in numpy. */
export function maxF32(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<f32>(v128.load(into + i), v128.load(from + i)));
}
export function maxF64(into: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) v128.store(into + i, v128.max<f64>(v128.load(into + i), v128.load(from + i)));
}

// ---- PNG filters (PNG specification, section 9). Rows have 16 zero bytes in front of them, so that the pixel left of the first is zero.

// @ts-ignore: decorator
@inline
function abs8(v: v128): v128 {
  // |v| of signed bytes; -128 stays 128 as an unsigned byte.
  return i8x16.abs(v);
}

// @ts-ignore: decorator
@inline
function total(sum: v128): u32 {
  return i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3);
}

// @ts-ignore: decorator
@inline
function paeth8(a: v128, b: v128, c: v128): v128 {
  const pa0 = i16x8.sub(b, c);
  const pb0 = i16x8.sub(a, c);
  const pa = i16x8.abs(pa0);
  const pb = i16x8.abs(pb0);
  const pc = i16x8.abs(i16x8.add(pa0, pb0));
  const notA = v128.or(i16x8.gt_s(pa, pb), i16x8.gt_s(pa, pc));
  const bOrC = v128.bitselect(c, b, i16x8.gt_s(pb, pc));
  return v128.bitselect(bOrC, a, notA);
}

// @ts-ignore: decorator
@inline
function predicted(kind: u32, a: v128, b: v128, c: v128): v128 {
  if (kind == 1) return a;
  if (kind == 2) return b;
  if (kind == 3) return i8x16.sub(i8x16.avgr_u(a, b), v128.and(v128.xor(a, b), i8x16.splat(1)));
  return i8x16.narrow_i16x8_u(
    paeth8(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_u(b), i16x8.extend_low_i8x16_u(c)),
    paeth8(i16x8.extend_high_i8x16_u(a), i16x8.extend_high_i8x16_u(b), i16x8.extend_high_i8x16_u(c)),
  );
}

/** One row filtered; returns the sum of absolute values. */
// @ts-ignore: decorator
@inline
function filterRow(kind: u32, row: usize, above: usize, to: usize, bytes: u32, step: u32): u32 {
  let sum = i32x4.splat(0);
  let i: u32 = 0;
  for (; i + 16 <= bytes; i += 16) {
    const x = v128.load(row + i);
    const d =
      kind == 0
        ? x
        : i8x16.sub(x, predicted(kind, v128.load(row + i - step), v128.load(above + i), v128.load(above + i - step)));
    v128.store(to + i, d);
    sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(abs8(d))));
  }
  let rest = total(sum);
  if (i < bytes) {
    const x = v128.load(row + i);
    const d =
      kind == 0
        ? x
        : i8x16.sub(x, predicted(kind, v128.load(row + i - step), v128.load(above + i), v128.load(above + i - step)));
    v128.store(to + i, d);
    for (; i < bytes; i++) {
      const v = <i32>load<i8>(to + i);
      rest += v < 0 ? -v : v;
    }
  }
  return rest;
}

/**
 * Rows → filtered rows with their filter bytes. `kind` 0 to 4, or 5 for the one with the least sum of absolute values in each row.
 * `rows` rows of `bytes` lie at `from` with `stride` from one to the next, 16 zeros in front of each, a row of zeros before the first.
 * `spare` has room for two rows. Returns the bytes written.
 */
export function filterRows(
  from: usize,
  to: usize,
  rows: u32,
  bytes: u32,
  stride: u32,
  step: u32,
  kind: u32,
  spare: usize,
): u32 {
  let out = to;
  for (let y: u32 = 0; y < rows; y++) {
    const row = from + y * stride;
    const above = row - stride;
    let best = kind;
    if (kind < 5) filterRowOf(kind, row, above, out + 1, bytes, step);
    else {
      best = 0;
      let least = filterRow(0, row, above, out + 1, bytes, step);
      for (let k: u32 = 1; k < 5; k++) {
        const sum = filterRowOf(k, row, above, spare, bytes, step);
        if (sum < least) {
          least = sum;
          best = k;
          memory.copy(out + 1, spare, bytes);
        }
      }
    }
    store<u8>(out, best);
    out += bytes + 1;
  }
  return <u32>(out - to);
}

function filterRowOf(kind: u32, row: usize, above: usize, to: usize, bytes: u32, step: u32): u32 {
  switch (kind) {
    case 0: return filterRow(0, row, above, to, bytes, step);
    case 1: return filterRow(1, row, above, to, bytes, step);
    case 2: return filterRow(2, row, above, to, bytes, step);
    case 3: return filterRow(3, row, above, to, bytes, step);
    default: return filterRow(4, row, above, to, bytes, step);
  }
}

/** Little-endian rows of 16-bit values → big-endian rows with a stride of at least 32 more: whole steps of 16 end before the next row's zeros. */
export function spread16(from: usize, to: usize, rows: u32, bytes: u32, stride: u32): void {
  for (let y: u32 = 0; y < rows; y++) {
    const a = from + y * bytes;
    const b = to + y * stride;
    for (let i: u32 = 0; i < bytes; i += 16) {
      const v = v128.load(a + i);
      v128.store(b + i, i8x16.shuffle(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14));
    }
  }
}

export function spread8(from: usize, to: usize, rows: u32, bytes: u32, stride: u32): void {
  for (let y: u32 = 0; y < rows; y++) memory.copy(to + y * stride, from + y * bytes, bytes);
}
