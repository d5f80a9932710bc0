// Byte kernels of the codecs. Callers own the layout of the memory; every function checks the bounds it is given.
// Results: bytes written, or a negative number where the input contradicts itself.

// LZ4 block format (lz4_Block_format.md): token, literals, 16-bit offset, match.
export function lz4(from: usize, size: i32, to: usize, limit: i32): i32 {
  let ip = from;
  const iend = from + <usize>size;
  let op = to;
  const oend = to + <usize>limit;
  while (ip < iend) {
    const token = <u32>load<u8>(ip++);
    let length = token >> 4;
    if (length == 15) {
      let more: u32;
      do {
        if (ip >= iend) return -1;
        more = load<u8>(ip++);
        length += more;
      } while (more == 255);
    }
    if (length > <u32>(iend - ip) || length > <u32>(oend - op)) return -2;
    if (length <= 16 && iend - ip >= 16 && oend - op >= 16) v128.store(op, v128.load(ip));
    else memory.copy(op, ip, length);
    ip += length;
    op += length;
    if (ip >= iend) break;
    if (iend - ip < 2) return -3;
    const offset = <u32>load<u16>(ip);
    ip += 2;
    if (offset == 0 || offset > <u32>(op - to)) return -4;
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

// Copies `length` bytes from `offset` bytes back; source and target may overlap, which repeats the pattern.
// @ts-ignore: decorator
@inline
function repeat(op: usize, offset: u32, length: u32, oend: usize): void {
  let ref = op - offset;
  const end = op + length;
  if (offset >= 16 && end + 16 <= oend) {
    while (op < end) {
      v128.store(op, v128.load(ref));
      op += 16;
      ref += 16;
    }
  } else if (offset >= 8 && end + 8 <= oend) {
    while (op < end) {
      store<u64>(op, load<u64>(ref));
      op += 8;
      ref += 8;
    }
  } else if (offset == 1) {
    memory.fill(op, load<u8>(ref), length);
  } else {
    while (op < end) store<u8>(op++, load<u8>(ref++));
  }
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
      memory.copy(op, ip, count);
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
  if (size == 4) {
    for (let i: usize = 0; i < stride; i++) {
      const p = from + i;
      store<u32>(
        to + (i << 2),
        <u32>load<u8>(p) |
          (<u32>load<u8>(p + stride) << 8) |
          (<u32>load<u8>(p + 2 * stride) << 16) |
          (<u32>load<u8>(p + 3 * stride) << 24),
      );
    }
  } else {
    for (let i: usize = 0; i < stride; i++) {
      let q = to + i * <usize>size;
      let p = from + i;
      for (let k = 0; k < size; k++) {
        store<u8>(q++, load<u8>(p));
        p += stride;
      }
    }
  }
  const whole = count * size;
  memory.copy(to + <usize>whole, from + <usize>whole, <usize>(bytes - whole));
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
