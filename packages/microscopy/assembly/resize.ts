// Resizing as OpenCV does it. Buffers lie behind heapBase(), each with slack behind it; the caller makes the tables.

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

// ---- bilinear (imgproc/src/resize.cpp, INTER_LINEAR without IPP)
//
// `at`: for each value of an output row the place of its left neighbour (u32, in values); from `inside` on there is no right neighbour.
// `a0`, `a1`: their weights. `rows`: for each output row the upper and the lower row of the source (u32) and their weights, 16 bytes.
// `held`: room for two rows made across, `stride` bytes from one to the other; most output rows need the two of the row before.

/** The source row that each of the two places holds. */
let held0: u32 = 0xffffffff;
let held1: u32 = 0xffffffff;

/** To be called before the first rows of a plane. */
export function begin(): void {
  held0 = 0xffffffff;
  held1 = 0xffffffff;
}

// @ts-ignore: decorator
@inline
function across<T>(row: usize, to: usize, values: u32, inside: u32, samples: u32, at: usize, a0: usize, a1: usize): void {
  const size = sizeof<T>();
  const right = <usize>samples * size;
  let i: u32 = 0;
  for (; i < inside; i++) {
    const left = row + <usize>load<u32>(at + (i << 2)) * size;
    store<f32>(
      to + (i << 2),
      <f32>load<T>(left) * load<f32>(a0 + (i << 2)) + <f32>load<T>(left + right) * load<f32>(a1 + (i << 2)),
    );
  }
  for (; i < values; i++) store<f32>(to + (i << 2), <f32>load<T>(row + <usize>load<u32>(at + (i << 2)) * size));
}

function acrossU16(row: usize, to: usize, values: u32, inside: u32, samples: u32, at: usize, a0: usize, a1: usize): void {
  if (samples != 1) return across<u16>(row, to, values, inside, samples, at, a0, a1);
  // Both neighbours come with one load of 32 bits; four values at a time.
  const mask = i32x4.splat(0xffff);
  let i: u32 = 0;
  for (; i + 4 <= inside; i += 4) {
    const p = at + (i << 2);
    let pairs = v128.load32_zero(row + (<usize>load<u32>(p) << 1));
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 4) << 1), pairs, 1);
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 8) << 1), pairs, 2);
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 12) << 1), pairs, 3);
    const left = f32x4.convert_i32x4_s(v128.and(pairs, mask));
    const right = f32x4.convert_i32x4_s(i32x4.shr_u(pairs, 16));
    v128.store(
      to + (i << 2),
      f32x4.add(f32x4.mul(left, v128.load(a0 + (i << 2))), f32x4.mul(right, v128.load(a1 + (i << 2)))),
    );
  }
  const done = i << 2;
  across<u16>(row, to + done, values - i, inside - i, 1, at + done, a0 + done, a1 + done);
}

/** Bytes in fixed point: weights are 11 bits (i32 here). */
function acrossU8(row: usize, to: usize, values: u32, inside: u32, samples: u32, at: usize, a0: usize, a1: usize): void {
  let i: u32 = 0;
  for (; i < inside; i++) {
    const left = row + <usize>load<u32>(at + (i << 2));
    store<i32>(
      to + (i << 2),
      <i32>load<u8>(left) * load<i32>(a0 + (i << 2)) + <i32>load<u8>(left + samples) * load<i32>(a1 + (i << 2)),
    );
  }
  for (; i < values; i++) store<i32>(to + (i << 2), <i32>load<u8>(row + <usize>load<u32>(at + (i << 2))) << 11);
}

// @ts-ignore: decorator
@inline
function mix(row0: usize, row1: usize, w0: v128, w1: v128): v128 {
  return f32x4.add(f32x4.mul(v128.load(row0), w0), f32x4.mul(v128.load(row1), w1));
}

/**
 * Two rows → one, rounded half to even: beside 2^23 a float32 has no room for a fraction, and its low bits are the integer. Weights are
 * not negative and sum up to 1 but for a bit, so a sum is never below 0 nor rounds above 65,535.
 */
function downU16(row0: usize, row1: usize, to: usize, values: u32, b0: f32, b1: f32): void {
  const w0 = f32x4.splat(b0);
  const w1 = f32x4.splat(b1);
  const anchor = f32x4.splat(8388608);
  for (const end = to + (values << 1); to < end; to += 16, row0 += 32, row1 += 32) {
    const low = f32x4.add(mix(row0, row1, w0, w1), anchor);
    const high = f32x4.add(mix(row0 + 16, row1 + 16, w0, w1), anchor);
    v128.store(to, i16x8.narrow_i32x4_u(i32x4.sub(low, anchor), i32x4.sub(high, anchor)));
  }
}

function downF32(row0: usize, row1: usize, to: usize, values: u32, b0: f32, b1: f32): void {
  const w0 = f32x4.splat(b0);
  const w1 = f32x4.splat(b1);
  for (const end = to + (values << 2); to < end; to += 16, row0 += 16, row1 += 16) v128.store(to, mix(row0, row1, w0, w1));
}

// @ts-ignore: decorator
@inline
function blend(row0: usize, row1: usize, w0: v128, w1: v128): v128 {
  const p0 = i32x4.shr_s(i32x4.mul(i32x4.shr_s(v128.load(row0), 4), w0), 16);
  const p1 = i32x4.shr_s(i32x4.mul(i32x4.shr_s(v128.load(row1), 4), w1), 16);
  return i32x4.shr_s(i32x4.add(i32x4.add(p0, p1), i32x4.splat(2)), 2);
}

function downU8(row0: usize, row1: usize, to: usize, values: u32, b0: i32, b1: i32): void {
  const w0 = i32x4.splat(b0);
  const w1 = i32x4.splat(b1);
  for (let i: u32 = 0; i < values; i += 16) {
    const at = <usize>i << 2;
    const a = i16x8.narrow_i32x4_s(blend(row0 + at, row1 + at, w0, w1), blend(row0 + at + 16, row1 + at + 16, w0, w1));
    const b = i16x8.narrow_i32x4_s(blend(row0 + at + 32, row1 + at + 32, w0, w1), blend(row0 + at + 48, row1 + at + 48, w0, w1));
    v128.store(to + i, i8x16.narrow_i16x8_u(a, b));
  }
}

// @ts-ignore: decorator
@inline
function acrossOf<T>(row: usize, to: usize, values: u32, inside: u32, samples: u32, at: usize, a0: usize, a1: usize): void {
  if (sizeof<T>() == 1) acrossU8(row, to, values, inside, samples, at, a0, a1);
  else if (sizeof<T>() == 2) acrossU16(row, to, values, inside, samples, at, a0, a1);
  else across<T>(row, to, values, inside, samples, at, a0, a1);
}

// @ts-ignore: decorator
@inline
function bilinear<T>(
  from: usize,
  fromStride: u32,
  to: usize,
  rows: usize,
  count: u32,
  values: u32,
  inside: u32,
  samples: u32,
  at: usize,
  a0: usize,
  a1: usize,
  held: usize,
  stride: u32,
): void {
  for (let y: u32 = 0; y < count; y++, rows += 16, to += values * <u32>sizeof<T>()) {
    const top = load<u32>(rows);
    const bottom = load<u32>(rows, 4);
    // What the other row needs is not overwritten.
    let first: u32 = top == held0 ? 0 : top == held1 ? 1 : bottom == held0 ? 1 : 0;
    if (top != (first == 0 ? held0 : held1)) {
      acrossOf<T>(from + top * fromStride, held + first * stride, values, inside, samples, at, a0, a1);
      if (first == 0) held0 = top;
      else held1 = top;
    }
    let second = first;
    if (bottom != top) {
      second = 1 - first;
      if (bottom != (second == 0 ? held0 : held1)) {
        acrossOf<T>(from + bottom * fromStride, held + second * stride, values, inside, samples, at, a0, a1);
        if (second == 0) held0 = bottom;
        else held1 = bottom;
      }
    }
    const row0 = held + first * stride;
    const row1 = held + second * stride;
    if (sizeof<T>() == 1) downU8(row0, row1, to, values, load<i32>(rows, 8), load<i32>(rows, 12));
    else if (sizeof<T>() == 2) downU16(row0, row1, to, values, load<f32>(rows, 8), load<f32>(rows, 12));
    else downF32(row0, row1, to, values, load<f32>(rows, 8), load<f32>(rows, 12));
  }
}

/** `count` output rows from `rows` on, of values of `size` bytes: 1 (uint8), 2 (uint16) or 4 (float32). */
export function bilinearRows(
  size: u32,
  from: usize,
  fromStride: u32,
  to: usize,
  rows: usize,
  count: u32,
  values: u32,
  inside: u32,
  samples: u32,
  at: usize,
  a0: usize,
  a1: usize,
  held: usize,
  stride: u32,
): void {
  if (size == 1) bilinear<u8>(from, fromStride, to, rows, count, values, inside, samples, at, a0, a1, held, stride);
  else if (size == 2) bilinear<u16>(from, fromStride, to, rows, count, values, inside, samples, at, a0, a1, held, stride);
  else bilinear<f32>(from, fromStride, to, rows, count, values, inside, samples, at, a0, a1, held, stride);
}

// ---- nearest: `at` as above, `rows` the source row of each output row (u32)

// @ts-ignore: decorator
@inline
function nearest<T>(from: usize, fromStride: u32, to: usize, rows: usize, count: u32, values: u32, at: usize): void {
  const size = <u32>sizeof<T>();
  let before: u32 = 0xffffffff;
  for (let y: u32 = 0; y < count; y++, rows += 4) {
    const row = load<u32>(rows);
    const next = to + values * size;
    if (row == before) memory.copy(to, to - values * size, values * size);
    else {
      const source = from + row * fromStride;
      let p = at;
      let out = to;
      for (const end = at + ((values & ~3) << 2); p < end; p += 16, out += 4 * size) {
        store<T>(out, load<T>(source + load<u32>(p) * size));
        store<T>(out + size, load<T>(source + load<u32>(p, 4) * size));
        store<T>(out + 2 * size, load<T>(source + load<u32>(p, 8) * size));
        store<T>(out + 3 * size, load<T>(source + load<u32>(p, 12) * size));
      }
      for (; out < next; p += 4, out += size) store<T>(out, load<T>(source + load<u32>(p) * size));
    }
    before = row;
    to = next;
  }
}

/** `count` output rows of values of `size` bytes: 1, 2, 4 or 8. */
export function nearestRows(
  size: u32,
  from: usize,
  fromStride: u32,
  to: usize,
  rows: usize,
  count: u32,
  values: u32,
  at: usize,
): void {
  if (size == 1) nearest<u8>(from, fromStride, to, rows, count, values, at);
  else if (size == 2) nearest<u16>(from, fromStride, to, rows, count, values, at);
  else if (size == 4) nearest<u32>(from, fromStride, to, rows, count, values, at);
  else nearest<u64>(from, fromStride, to, rows, count, values, at);
}
