// LZ4 block format (lz4_Block_format.md): token, literals, 16-bit offset, match.

import { literals, repeat } from "./_runs";

/** @returns bytes written, negative where the input contradicts itself */
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
