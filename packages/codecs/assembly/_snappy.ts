// Snappy's raw format (format_description.txt): the length as a varint, then literals and copies of three kinds.

import { literals, repeat } from "./_runs";

/** @returns bytes written, negative where the input contradicts itself */
export function snappy(from: usize, size: i32, to: usize, limit: i32): i32 {
  let ip = from;
  const iend = from + <usize>size;
  let op = to;
  let announced: u32 = 0;
  let shift: u32 = 0;
  let byte: u32;
  do {
    if (ip >= iend || shift > 28) return -1;
    byte = load<u8>(ip++);
    announced |= (byte & 127) << shift;
    shift += 7;
  } while (byte > 127);
  if (announced > <u32>limit) return -2;
  const oend = to + <usize>announced;
  while (ip < iend) {
    const tag = <u32>load<u8>(ip++);
    if ((tag & 3) == 0) {
      let length = tag >> 2;
      if (length >= 60) {
        const width = <usize>length - 59;
        if (<usize>(iend - ip) < width) return -3;
        length = 0;
        for (let k: usize = 0; k < width; k++) length |= <u32>load<u8>(ip + k) << <u32>(k << 3);
        ip += width;
        // The length of a whole address space would be 0 after the next line.
        if (length == u32.MAX_VALUE) return -3;
      }
      length += 1;
      if (length > <u32>(iend - ip) || length > <u32>(oend - op)) return -4;
      literals(op, ip, length, iend, oend);
      ip += length;
      op += length;
      continue;
    }
    let length: u32;
    let offset: u32;
    if ((tag & 3) == 1) {
      if (ip >= iend) return -5;
      length = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | <u32>load<u8>(ip++);
    } else {
      const width: usize = (tag & 3) == 2 ? 2 : 4;
      if (<usize>(iend - ip) < width) return -5;
      length = (tag >> 2) + 1;
      offset = width == 2 ? <u32>load<u16>(ip) : load<u32>(ip);
      ip += width;
    }
    if (offset == 0 || offset > <u32>(op - to) || length > <u32>(oend - op)) return -6;
    repeat(op, offset, length, oend);
    op += length;
  }
  return op == oend ? <i32>announced : -7;
}
