// Adler-32 of zlib streams (RFC 1950, 8.2) and the Fletcher checksum of HDF5's filter 3 (big-endian 16-bit words).

const adlerBase: u32 = 65521;
/** As many bytes as 32-bit sums hold without a remainder in between, and signed 16-bit ones of the bytes at one place of 32. */
const adlerRun: u32 = 4096;

export function adler32(from: usize, length: u32): u32 {
  let a: u32 = 1;
  let b: u32 = 0;
  while (length >= 32) {
    const run = min(length, adlerRun) & ~31;
    length -= run;
    b += a * run;
    let sums = i32x4.splat(0);
    let before = i32x4.splat(0);
    // Sums of the bytes at each place, to be weighted in the end.
    let places0 = i16x8.splat(0);
    let places1 = i16x8.splat(0);
    let places2 = i16x8.splat(0);
    let places3 = i16x8.splat(0);
    for (const end = from + run; from < end; from += 32) {
      const first = v128.load(from);
      const second = v128.load(from, 16);
      before = i32x4.add(before, sums);
      const pairs = i16x8.add(i16x8.extadd_pairwise_i8x16_u(first), i16x8.extadd_pairwise_i8x16_u(second));
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(pairs));
      places0 = i16x8.add(places0, i16x8.extend_low_i8x16_u(first));
      places1 = i16x8.add(places1, i16x8.extend_high_i8x16_u(first));
      places2 = i16x8.add(places2, i16x8.extend_low_i8x16_u(second));
      places3 = i16x8.add(places3, i16x8.extend_high_i8x16_u(second));
    }
    let weighted = i32x4.dot_i16x8_s(places0, i16x8(32, 31, 30, 29, 28, 27, 26, 25));
    weighted = i32x4.add(weighted, i32x4.dot_i16x8_s(places1, i16x8(24, 23, 22, 21, 20, 19, 18, 17)));
    weighted = i32x4.add(weighted, i32x4.dot_i16x8_s(places2, i16x8(16, 15, 14, 13, 12, 11, 10, 9)));
    weighted = i32x4.add(weighted, i32x4.dot_i16x8_s(places3, i16x8(8, 7, 6, 5, 4, 3, 2, 1)));
    a += horizontal(sums);
    b += (horizontal(before) << 5) + horizontal(weighted);
    a %= adlerBase;
    b %= adlerBase;
  }
  for (; length > 0; length--) {
    a += load<u8>(from++);
    b += a;
  }
  return ((b % adlerBase) << 16) | (a % adlerBase);
}

// @ts-ignore: decorator
@inline
function horizontal(v: v128): u32 {
  return i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3);
}

export function fletcher32(from: usize, length: u32): u32 {
  let a: u32 = 0;
  let b: u32 = 0;
  let words = length >> 1;
  while (words > 0) {
    let run = min<u32>(words, 360);
    words -= run;
    for (; run > 0; run--, from += 2) {
      a += bswap<u16>(load<u16>(from));
      b += a;
    }
    a = (a & 0xffff) + (a >> 16);
    b = (b & 0xffff) + (b >> 16);
  }
  if (length & 1) {
    a += <u32>load<u8>(from) << 8;
    b += a;
    a = (a & 0xffff) + (a >> 16);
    b = (b & 0xffff) + (b >> 16);
  }
  a = (a & 0xffff) + (a >> 16);
  b = (b & 0xffff) + (b >> 16);
  return (b << 16) | a;
}
