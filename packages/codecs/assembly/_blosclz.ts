// BloscLZ, the FastLZ variant of c-blosc 1.

import { literals, repeat } from "./_runs";

/** @returns bytes written, negative where the input contradicts itself */
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
