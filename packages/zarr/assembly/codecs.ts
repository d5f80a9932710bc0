// Byte kernels of the codecs. Callers own the layout of the memory; every function checks the bounds it is given.
// Results: bytes written, or a negative number where the input contradicts itself.

// LZ4 block format (lz4_Block_format.md): token, literals, 16-bit offset, match.
export function lz4(from: usize, size: i32, to: usize, limit: i32): i32 {
  let ip = from;
  const iend = from + <usize>size;
  let op = to;
  const oend = to + <usize>limit;
  // Before these, a short run of either kind may be copied by whole words without looking.
  const fastIn = size > 32 ? iend - 32 : from;
  const fastOut = limit > 64 ? oend - 64 : to;
  while (ip < iend) {
    const token = <u32>load<u8>(ip++);
    let length = token >> 4;
    let offset: u32;
    if (length < 15 && ip < fastIn && op < fastOut) {
      v128.store(op, v128.load(ip));
      ip += length;
      op += length;
      offset = <u32>load<u16>(ip);
      ip += 2;
      if (offset == 0 || offset > <u32>(op - to)) return -4;
      const short = token & 15;
      if (short < 15 && offset >= 8) {
        const ref = op - offset;
        store<u64>(op, load<u64>(ref));
        store<u64>(op + 8, load<u64>(ref + 8));
        store<u64>(op + 16, load<u64>(ref + 16));
        op += short + 4;
        continue;
      }
    } else {
      if (length == 15) {
        let more: u32;
        do {
          if (ip >= iend) return -1;
          more = load<u8>(ip++);
          length += more;
        } while (more == 255);
      }
      if (length > <u32>(iend - ip) || length > <u32>(oend - op)) return -2;
      literals(op, ip, length, iend, oend);
      ip += length;
      op += length;
      if (ip >= iend) break;
      if (iend - ip < 2) return -3;
      offset = <u32>load<u16>(ip);
      ip += 2;
      if (offset == 0 || offset > <u32>(op - to)) return -4;
    }
    let match = (token & 15) + 4;
    if (match == 19) {
      let more: u32;
      do {
        if (ip >= iend) return -5;
        more = load<u8>(ip++);
        match += more;
      } while (more == 255);
    }
    if (match > <u32>(oend - op)) return -6;
    repeat(op, offset, match, oend);
    op += match;
  }
  return <i32>(op - to);
}

// Copies in steps of 16 bytes where both sides have room for the last step; memory.copy is a call, too dear for short runs.
// @ts-ignore: decorator
@inline
function literals(op: usize, ip: usize, length: u32, iend: usize, oend: usize): void {
  if (length <= 128 && iend - ip >= <usize>length + 16 && oend - op >= <usize>length + 16) {
    for (let at: usize = 0; at < length; at += 16) v128.store(op + at, v128.load(ip + at));
  } else {
    memory.copy(op, ip, length);
  }
}

// Copies `length` bytes from `offset` bytes back; source and target may overlap, which repeats the pattern.
// Whole words are stored as long as they stay inside `oend`; a match often ends close to it.
// @ts-ignore: decorator
@inline
function repeat(op: usize, offset: u32, length: u32, oend: usize): void {
  let ref = op - offset;
  const end = op + length;
  const fast = oend - op >= 16 ? min(end, oend - 15) : op;
  if (offset >= 16) {
    for (; op < fast; op += 16, ref += 16) v128.store(op, v128.load(ref));
  } else if (offset >= 8) {
    for (; op < fast; op += 8, ref += 8) store<u64>(op, load<u64>(ref));
  } else if (offset == 1 || offset == 2 || offset == 4) {
    const pattern =
      offset == 1 ? i8x16.splat(load<i8>(ref)) : offset == 2 ? i16x8.splat(load<i16>(ref)) : i32x4.splat(load<i32>(ref));
    for (; op < fast; op += 16, ref += 16) v128.store(op, pattern);
  }
  while (op < end) store<u8>(op++, load<u8>(ref++));
}

// BloscLZ, the FastLZ variant of c-blosc 1.
export function blosclz(from: usize, size: i32, to: usize, limit: i32): i32 {
  if (size == 0) return 0;
  let ip = from;
  const iend = from + <usize>size;
  let op = to;
  const oend = to + <usize>limit;
  let control = <u32>load<u8>(ip++) & 31;
  while (true) {
    if (control >= 32) {
      let length = (control >> 5) - 1;
      let distance = (control & 31) << 8;
      let code: u32;
      if (length == 6) {
        do {
          if (ip >= iend) return -1;
          code = load<u8>(ip++);
          length += code;
        } while (code == 255);
      }
      if (ip >= iend) return -2;
      code = load<u8>(ip++);
      length += 3;
      if (code == 255 && distance == 31 << 8) {
        if (iend - ip < 2) return -3;
        distance = ((<u32>load<u8>(ip) << 8) | load<u8>(ip + 1)) + 8191;
        ip += 2;
      } else {
        distance += code;
      }
      distance += 1;
      if (distance > <u32>(op - to)) return -4;
      if (length > <u32>(oend - op)) return -5;
      repeat(op, distance, length, oend);
      op += length;
    } else {
      const count = control + 1;
      if (count > <u32>(iend - ip) || count > <u32>(oend - op)) return -6;
      literals(op, ip, count, iend, oend);
      ip += count;
      op += count;
    }
    if (ip >= iend) break;
    control = load<u8>(ip++);
  }
  return <i32>(op - to);
}

// Byte k of every element stands together; bytes behind the last whole element stay where they are.
export function unshuffle(from: usize, to: usize, bytes: i32, size: i32): void {
  const count = bytes / size;
  const stride = <usize>count;
  // Sixteen elements at a time, planes interleaved pairwise; what is left over goes byte by byte.
  let done: usize = 0;
  if (size == 2) {
    for (; done + 16 <= stride; done += 16) {
      const a = v128.load(from + done);
      const b = v128.load(from + stride + done);
      store2(to + (done << 1), low8(a, b), high8(a, b));
    }
  } else if (size == 4) {
    for (; done + 16 <= stride; done += 16) four(from + done, stride, to + (done << 2), 16);
  } else if (size == 8) {
    for (; done + 16 <= stride; done += 16) eight(from + done, stride, to + (done << 3));
  }
  for (; done < stride; done++) {
    let q = to + done * <usize>size;
    let p = from + done;
    for (let k = 0; k < size; k++) {
      store<u8>(q++, load<u8>(p));
      p += stride;
    }
  }
  const whole = count * size;
  memory.copy(to + <usize>whole, from + <usize>whole, <usize>(bytes - whole));
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
function store2(to: usize, first: v128, second: v128): void {
  v128.store(to, first);
  v128.store(to + 16, second);
}

// Sixteen elements of four planes, stored `step` bytes apart.
// @ts-ignore: decorator
@inline
function four(from: usize, stride: usize, to: usize, step: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + stride);
  const c = v128.load(from + 2 * stride);
  const d = v128.load(from + 3 * stride);
  const ab = low8(a, b);
  const cd = low8(c, d);
  const ef = high8(a, b);
  const gh = high8(c, d);
  v128.store(to, low16(ab, cd));
  v128.store(to + step, high16(ab, cd));
  v128.store(to + 2 * step, low16(ef, gh));
  v128.store(to + 3 * step, high16(ef, gh));
}

// @ts-ignore: decorator
@inline
function eight(from: usize, stride: usize, to: usize): void {
  // Halves of four planes each land 32 bytes apart, then their 4-byte words are interleaved.
  four(from, stride, to, 32);
  four(from + 4 * stride, stride, to + 16, 32);
  for (let at: usize = 0; at < 128; at += 32) {
    const low = v128.load(to + at);
    const high = v128.load(to + at + 16);
    v128.store(to + at, i32x4.shuffle(low, high, 0, 4, 1, 5));
    v128.store(to + at + 16, i32x4.shuffle(low, high, 2, 6, 3, 7));
  }
}

export function shuffle(from: usize, to: usize, bytes: i32, size: i32): void {
  const count = bytes / size;
  for (let k = 0; k < size; k++) {
    for (let i = 0; i < count; i++) {
      store<u8>(to + <usize>(k * count + i), load<u8>(from + <usize>(i * size + k)));
    }
  }
  const whole = count * size;
  memory.copy(to + <usize>whole, from + <usize>whole, <usize>(bytes - whole));
}

// Bitshuffle: row b of the bit matrix (b = 8 * byte + bit) holds that bit of every element, eight elements to a byte.
// `count` must be a multiple of 8. The 8 x 8 transpose is Hacker's Delight 7-3.
export function unbitshuffle(from: usize, to: usize, count: i32, size: i32): void {
  const rowBytes = <usize>(count >> 3);
  for (let k = 0; k < size; k++) {
    const rows = from + <usize>(k * 8) * rowBytes;
    for (let g: usize = 0; g < rowBytes; g++) {
      let x: u64 = 0;
      for (let bit: usize = 0; bit < 8; bit++) x |= <u64>load<u8>(rows + bit * rowBytes + g) << (bit << 3);
      let t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aa;
      x = x ^ t ^ (t << 7);
      t = (x ^ (x >> 14)) & 0x0000cccc0000cccc;
      x = x ^ t ^ (t << 14);
      t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0;
      x = x ^ t ^ (t << 28);
      let q = to + (g << 3) * <usize>size + <usize>k;
      for (let e: usize = 0; e < 8; e++) {
        store<u8>(q, <u8>x);
        x >>= 8;
        q += <usize>size;
      }
    }
  }
}

// CRC-32C (RFC 3720, B.4); `table` is 1 KiB made by crc32cTable.
export function crc32cTable(table: usize): void {
  for (let index: u32 = 0; index < 256; index++) {
    let value = index;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ 0x82f63b78 : value >> 1;
    store<u32>(table + <usize>(index << 2), value);
  }
}

export function crc32c(table: usize, from: usize, size: i32, before: u32): u32 {
  let crc = ~before;
  const end = from + <usize>size;
  for (let at = from; at < end; at++) {
    crc = (crc >> 8) ^ load<u32>(table + <usize>(((crc ^ load<u8>(at)) & 255) << 2));
  }
  return ~crc;
}
