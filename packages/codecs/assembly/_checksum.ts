// Adler-32 of zlib streams (RFC 1950, 8.2) and the Fletcher checksum of HDF5's filter 3 (big-endian 16-bit words).

const adlerBase: u32 = 65521;
/** As many bytes as 32-bit sums hold without a remainder in between, whole vectors. */
const adlerRun: u32 = 5536;

export function adler32(from: usize, length: u32): u32 {
  let a: u32 = 1;
  let b: u32 = 0;
  const high = i16x8(16, 15, 14, 13, 12, 11, 10, 9);
  const low = i16x8(8, 7, 6, 5, 4, 3, 2, 1);
  while (length >= 16) {
    let run = min(length, adlerRun) & ~15;
    length -= run;
    b += a * run;
    let sums = i32x4.splat(0);
    let before = i32x4.splat(0);
    let weighted = i32x4.splat(0);
    for (const end = from + run; from < end; from += 16) {
      const bytes = v128.load(from);
      before = i32x4.add(before, sums);
      sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)));
      weighted = i32x4.add(weighted, i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(bytes), high));
      weighted = i32x4.add(weighted, i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(bytes), low));
    }
    a += horizontal(sums);
    b += (horizontal(before) << 4) + horizontal(weighted);
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
