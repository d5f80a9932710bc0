// Resizing as OpenCV does it. Buffers lie behind heapBase(), each with slack behind it; the caller makes the tables.

export function heapBase(): usize {
  return (__heap_base + 15) & ~15;
}

// ---- bilinear (imgproc/src/resize.cpp, INTER_LINEAR without IPP)
//
// `rows`: for each output row the upper and the lower row of the source (u32) and their weights, 16 bytes.

/** A plane on its way, as the caller lays it out. */
@unmanaged
class Job {
  from: usize;
  /** Bytes from one row to the next. */
  fromStride: u32;
  /** Of an output row; from `inside` on they have no right neighbour. */
  values: u32;
  inside: u32;
  samples: u32;
  /** For each of them the place of its left neighbour (u32, in values), and the weights of both. */
  at: usize;
  a0: usize;
  a1: usize;
  /** Room for two rows made across; most output rows need the two of the row before. */
  held: usize;
  heldStride: u32;
  /** The source row that each of the two places holds. */
  held0: u32;
  held1: u32;
  /** For every four values where in the row the 16 bytes begin that have all their neighbours (u32, bytes), and a shuffle; 0: none. */
  groups: usize;
  shuffles: usize;
}

/** From value `i` on. Sums are float32, or, of bytes, integers: weights are 11 bits then. */
function across<T, Sum>(job: Job, row: usize, to: usize, i: u32): void {
  const right = <usize>job.samples * sizeof<T>();
  const at = job.at;
  const a0 = job.a0;
  const a1 = job.a1;
  for (const inside = job.inside; i < inside; i++) {
    const p = row + <usize>load<u32>(at + (i << 2)) * sizeof<T>();
    store<Sum>(
      to + (i << 2),
      <Sum>load<T>(p) * load<Sum>(a0 + (i << 2)) + <Sum>load<T>(p + right) * load<Sum>(a1 + (i << 2)),
    );
  }
  for (const values = job.values; i < values; i++) {
    let value = <Sum>load<T>(row + <usize>load<u32>(at + (i << 2)) * sizeof<T>());
    if (isInteger<Sum>()) value <<= 11;
    store<Sum>(to + (i << 2), value);
  }
}

/** Pairs of neighbours, uint16 each, of four values → the four. */
// @ts-ignore: decorator
@inline
function mixPairs(pairs: v128, a0: usize, a1: usize): v128 {
  const left = f32x4.convert_i32x4_s(v128.and(pairs, i32x4.splat(0xffff)));
  const right = f32x4.convert_i32x4_s(i32x4.shr_u(pairs, 16));
  return f32x4.add(f32x4.mul(left, v128.load(a0)), f32x4.mul(right, v128.load(a1)));
}

/** uint16, grey: both neighbours come with one load of 32 bits; four values at a time. Returns how many values were made. */
function acrossPairs(job: Job, row: usize, to: usize): u32 {
  const at = job.at;
  const a0 = job.a0;
  const a1 = job.a1;
  let i: u32 = 0;
  for (const inside = job.inside; i + 4 <= inside; i += 4) {
    const p = at + (i << 2);
    let pairs = v128.load32_zero(row + (<usize>load<u32>(p) << 1));
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 4) << 1), pairs, 1);
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 8) << 1), pairs, 2);
    pairs = v128.load_lane<u32>(row + (<usize>load<u32>(p, 12) << 1), pairs, 3);
    v128.store(to + (i << 2), mixPairs(pairs, a0 + (i << 2), a1 + (i << 2)));
  }
  return i;
}

/** The same where the neighbours of four values are near each other: all of them come with one load. */
function acrossGroups(job: Job, row: usize, to: usize): u32 {
  const a0 = job.a0;
  const a1 = job.a1;
  const groups = job.groups;
  const shuffles = job.shuffles;
  let i: u32 = 0;
  for (const inside = job.inside; i + 4 <= inside; i += 4) {
    const near = v128.load(row + <usize>load<u32>(groups + i));
    const pairs = i8x16.swizzle(near, v128.load(shuffles + (i << 2)));
    v128.store(to + (i << 2), mixPairs(pairs, a0 + (i << 2), a1 + (i << 2)));
  }
  return i;
}

// @ts-ignore: decorator
@inline
function mix(row0: usize, row1: usize, w0: v128, w1: v128): v128 {
  return f32x4.add(f32x4.mul(v128.load(row0), w0), f32x4.mul(v128.load(row1), w1));
}

/**
 * Two rows → one, rounded half to even: beside 2^23 a float32 has no room for a fraction, and its low bits are the integer. Weights are
 * not negative and sum up to 1 but for a bit, so a sum is never below 0 nor rounds above 65,535, and is taken from the low 16 bits.
 */
function downU16(row0: usize, row1: usize, to: usize, values: u32, b0: f32, b1: f32): void {
  const w0 = f32x4.splat(b0);
  const w1 = f32x4.splat(b1);
  const anchor = f32x4.splat(8388608);
  for (const end = to + (values << 1); to < end; to += 32, row0 += 64, row1 += 64) {
    const a = f32x4.add(mix(row0, row1, w0, w1), anchor);
    const b = f32x4.add(mix(row0 + 16, row1 + 16, w0, w1), anchor);
    const c = f32x4.add(mix(row0 + 32, row1 + 32, w0, w1), anchor);
    const d = f32x4.add(mix(row0 + 48, row1 + 48, w0, w1), anchor);
    v128.store(to, i8x16.shuffle(a, b, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29));
    v128.store(to, i8x16.shuffle(c, d, 0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29), 16);
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

/** A source row made across, which lies in `place` (0 or 1) afterwards. */
function hold<T>(job: Job, row: u32, place: u32): usize {
  const to = job.held + place * job.heldStride;
  if (row == (place == 0 ? job.held0 : job.held1)) return to;
  const source = job.from + row * job.fromStride;
  if (sizeof<T>() == 1) across<T, i32>(job, source, to, 0);
  else if (sizeof<T>() != 2 || job.samples != 1) across<T, f32>(job, source, to, 0);
  else across<T, f32>(job, source, to, job.groups == 0 ? acrossPairs(job, source, to) : acrossGroups(job, source, to));
  if (place == 0) job.held0 = row;
  else job.held1 = row;
  return to;
}

// @ts-ignore: decorator
@inline
function bilinear<T>(job: Job, to: usize, rows: usize, count: u32): void {
  const values = job.values;
  for (let y: u32 = 0; y < count; y++, rows += 16, to += values * <u32>sizeof<T>()) {
    const top = load<u32>(rows);
    const bottom = load<u32>(rows, 4);
    // What the other row needs is not overwritten.
    const first: u32 = top == job.held0 ? 0 : top == job.held1 || bottom == job.held0 ? 1 : 0;
    const row0 = hold<T>(job, top, first);
    const row1 = bottom == top ? row0 : hold<T>(job, bottom, 1 - first);
    if (sizeof<T>() == 1) downU8(row0, row1, to, values, load<i32>(rows, 8), load<i32>(rows, 12));
    else if (sizeof<T>() == 2) downU16(row0, row1, to, values, load<f32>(rows, 8), load<f32>(rows, 12));
    else downF32(row0, row1, to, values, load<f32>(rows, 8), load<f32>(rows, 12));
  }
}

/** `count` output rows from `rows` on, of values of `size` bytes: 1 (uint8), 2 (uint16) or 4 (float32). */
export function bilinearRows(size: u32, job: Job, to: usize, rows: usize, count: u32): void {
  if (size == 1) bilinear<u8>(job, to, rows, count);
  else if (size == 2) bilinear<u16>(job, to, rows, count);
  else bilinear<f32>(job, to, rows, count);
}

// ---- nearest: `at` is the place of each value of an output row in its source row (u32), `rows` the source row of each output row (u32)

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
