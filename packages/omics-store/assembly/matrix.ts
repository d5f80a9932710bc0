// Kernels of the Parquet matrix codec. Memory belongs to the caller: it lays out regions from `heapBase()` on and grows it.

export { decodeDelta, encodeDelta } from "./_delta";

/** First byte that the caller may use. */
export function heapBase(): usize {
  return __heap_base;
}

/** What `toInts` and `toFloats` found besides storable counts. */
const ZERO: u32 = 1;
const UNFIT: u32 = 2;
const NEGATIVE: u32 = 4;

// @ts-ignore: decorator
@inline
function one(value: f64, to: usize): u32 {
  const whole = i32x4.extract_lane(i32x4.trunc_sat_f64x2_s_zero(f64x2.splat(value)), 0);
  store<i32>(to, whole);
  return (<f64>whole != value ? UNFIT : 0) | (whole == 0 ? ZERO : 0) | (whole < 0 ? NEGATIVE : 0);
}

/** float32 → int32; returns which of ZERO, UNFIT (no int32) and NEGATIVE occur. */
export function toInts32(from: usize, count: u32, to: usize): u32 {
  let i: u32 = 0;
  let unfit = i32x4.splat(0);
  let zero = i32x4.splat(0);
  let sign = i32x4.splat(0);
  for (; i + 4 <= count; i += 4) {
    const value = v128.load(from + i * 4);
    const whole = i32x4.trunc_sat_f32x4_s(value);
    // 2^31 − 1 is the saturated value of floats that do not fit; as a float it is 2^31, equal to the float 2^31 itself.
    const back = f32x4.convert_i32x4_s(whole);
    unfit = v128.or(unfit, v128.or(f32x4.ne(back, value), i32x4.eq(whole, i32x4.splat(i32.MAX_VALUE))));
    zero = v128.or(zero, i32x4.eq(whole, i32x4.splat(0)));
    sign = v128.or(sign, whole);
    v128.store(to + i * 4, whole);
  }
  let flags: u32 = 0;
  if (v128.any_true(unfit)) flags |= UNFIT;
  if (v128.any_true(zero)) flags |= ZERO;
  if (i32x4.bitmask(sign) != 0) flags |= NEGATIVE;
  for (; i < count; i++) flags |= one(<f64>load<f32>(from + i * 4), to + i * 4);
  return flags;
}

/** float64 → int32, see `toInts32`. */
export function toInts64(from: usize, count: u32, to: usize): u32 {
  let flags: u32 = 0;
  for (let i: u32 = 0; i < count; i++) flags |= one(load<f64>(from + i * 8), to + i * 4);
  return flags;
}

// @ts-ignore: decorator
@inline
function flagsOf(value: f32): u32 {
  return (value == 0 ? ZERO : 0) | (value - value != 0 ? UNFIT : 0) | (value < 0 ? NEGATIVE : 0);
}

/** Flags of float32 counts; UNFIT is a value that is not finite. */
export function checkFloats(from: usize, count: u32): u32 {
  let flags: u32 = 0;
  for (let i: u32 = 0; i < count; i++) flags |= flagsOf(load<f32>(from + i * 4));
  return flags;
}

/** float64 → float32 with flags. */
export function toFloats(from: usize, count: u32, to: usize): u32 {
  let flags: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const value = <f32>load<f64>(from + i * 8);
    store<f32>(to + i * 4, value);
    flags |= flagsOf(value);
  }
  return flags;
}

/** Greatest uint32, so that a negative column is found as well. */
export function greatest(from: usize, count: u32): u32 {
  let most = i32x4.splat(0);
  let i: u32 = 0;
  for (; i + 4 <= count; i += 4) most = i32x4.max_u(most, v128.load(from + i * 4));
  let result = max<u32>(
    max<u32>(i32x4.extract_lane(most, 0), i32x4.extract_lane(most, 1)),
    max<u32>(i32x4.extract_lane(most, 2), i32x4.extract_lane(most, 3)),
  );
  for (; i < count; i++) result = max<u32>(result, load<u32>(from + i * 4));
  return result;
}

export function addToAll(at: usize, count: u32, value: i32): void {
  const all = i32x4.splat(value);
  let i: u32 = 0;
  for (; i + 4 <= count; i += 4) v128.store(at + i * 4, i32x4.add(v128.load(at + i * 4), all));
  for (; i < count; i++) store<i32>(at + i * 4, load<i32>(at + i * 4) + value);
}

/** Sum of int32, exact below 2^53. */
export function sumInts(from: usize, count: u32): f64 {
  let sums = i64x2.splat(0);
  let i: u32 = 0;
  for (; i + 4 <= count; i += 4) {
    const v = v128.load(from + i * 4);
    sums = i64x2.add(sums, i64x2.add(i64x2.extend_low_i32x4_s(v), i64x2.extend_high_i32x4_s(v)));
  }
  let total = i64x2.extract_lane(sums, 0) + i64x2.extract_lane(sums, 1);
  for (; i < count; i++) total += <i64>load<i32>(from + i * 4);
  return <f64>total;
}

const BAD_ID: i32 = -1;
const OUT_OF_ORDER: i32 = -2;

/**
 * One stored list into columns of a schema: `map` holds the column of every feature of the ingest from `start` on, −1 for none. Returns
 * how many were written, BAD_ID for an id that the ingest does not have, OUT_OF_ORDER when columns do not rise.
 */
export function mapRow(
  ids: usize,
  counts: usize,
  length: u32,
  floats: bool,
  start: i32,
  map: usize,
  features: u32,
  columns: usize,
  data: usize,
): i32 {
  let written: usize = 0;
  let last: i32 = -1;
  let disorder: i32 = 0;
  for (let k: usize = 0; k < <usize>length * 4; k += 4) {
    const id = <u32>(load<i32>(ids + k) - start);
    if (id >= features) return BAD_ID;
    const column = load<i32>(map + id * 4);
    const keep = column >= 0;
    store<i32>(columns + written, column);
    store<f32>(data + written, floats ? load<f32>(counts + k) : <f32>load<i32>(counts + k));
    disorder |= i32(keep & (column <= last));
    last = keep ? column : last;
    written += <usize>keep << 2;
  }
  return disorder ? OUT_OF_ORDER : <i32>(written >> 2);
}

/** `mapRow` where every feature is the column of its position. */
export function mapSame(
  ids: usize,
  counts: usize,
  length: u32,
  floats: bool,
  start: i32,
  features: u32,
  columns: usize,
  data: usize,
): i32 {
  if (length == 0) return 0;
  const bytes = <usize>length * 4;
  const first = i32x4.splat(start);
  let k: usize = 0;
  for (; k + 16 <= bytes; k += 16) {
    v128.store(columns + k, i32x4.sub(v128.load(ids + k), first));
    const count = v128.load(counts + k);
    v128.store(data + k, floats ? count : f32x4.convert_i32x4_s(count));
  }
  for (; k < bytes; k += 4) {
    store<i32>(columns + k, load<i32>(ids + k) - start);
    store<f32>(data + k, floats ? load<f32>(counts + k) : <f32>load<i32>(counts + k));
  }
  let rising = i32x4.splat(-1);
  for (k = 4; k + 16 <= bytes; k += 16) rising = v128.and(rising, i32x4.gt_s(v128.load(ids + k), v128.load(ids + k - 4)));
  let ordered = i32x4.all_true(rising);
  for (; k < bytes; k += 4) ordered = ordered && load<i32>(ids + k) > load<i32>(ids + k - 4);
  if (!ordered) return greatest(columns, length) >= features ? BAD_ID : OUT_OF_ORDER;
  // Rising: the ends tell about all.
  if (load<u32>(columns) >= features || load<u32>(columns + bytes - 4) >= features) return BAD_ID;
  return <i32>length;
}
