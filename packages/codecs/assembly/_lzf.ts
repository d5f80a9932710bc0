// LZF, the filter 32000 of h5py: a control byte below 32 announces literals, any other a back reference of 3 bits length and 13 bits
// distance. Source: the format comment of liblzf.

import { copyBack, preparePatterns } from "./_copy";

/** @returns bytes written; -1 literals beyond an end, -2 input ends inside a reference, -3 reference out of bounds */
export function lzfDecode(from: usize, length: u32, to: usize, room: u32): i32 {
  preparePatterns();
  const inEnd = from + length;
  const begin = to;
  const outEnd = to + room;
  while (from < inEnd) {
    const control: u32 = load<u8>(from++);
    if (control < 32) {
      const count: usize = control + 1;
      if (from + count > inEnd || to + count > outEnd) return -1;
      v128.store(to, v128.load(from));
      v128.store(to, v128.load(from, 16), 16);
      from += count;
      to += count;
    } else {
      let count: usize = control >> 5;
      if (count == 7) {
        if (from >= inEnd) return -2;
        count += load<u8>(from++);
      }
      count += 2;
      if (from >= inEnd) return -2;
      const distance: usize = ((control & 31) << 8) + load<u8>(from++) + 1;
      if (distance > to - begin || to + count > outEnd) return -3;
      copyBack(to, distance, count);
      to += count;
    }
  }
  return <i32>(to - begin);
}

const hashBits: u32 = 14;
const table: usize = memory.data(4 << 14, 16);

// @ts-ignore: decorator
@inline
function hash(at: usize): usize {
  return <usize>(((load<u32>(at) & 0xffffff) * 2654435761) >> (32 - hashBits)) << 2;
}

/** @returns bytes written; 0 when they would not be fewer than `length`, and the chunk is better stored as it is */
export function lzfEncode(from: usize, length: u32, to: usize): u32 {
  memory.fill(table, 0, 4 << hashBits);
  const begin = from;
  const end = from + length;
  const out = to;
  const outEnd = to + length;
  let literals: usize = from;
  while (from + 3 <= end) {
    const slot = table + hash(from);
    // Positions count from 1, so that an empty slot is none.
    const found = load<u32>(slot);
    store<u32>(slot, <u32>(from - begin) + 1);
    const source = begin + found - 1;
    const distance = from - source;
    if (found == 0 || distance > 8192 || (load<u32>(source) ^ load<u32>(from)) & 0xffffff) {
      from++;
      continue;
    }
    let count: usize = 3;
    const most = min<usize>(end - from, 264);
    while (count < most && load<u8>(source + count) == load<u8>(from + count)) count++;
    to = putLiterals(literals, from, to, outEnd);
    if (to == 0 || to + 3 > outEnd) return 0;
    const code = count - 2;
    const back = distance - 1;
    if (code < 7) store<u8>(to++, <u8>((code << 5) | (back >> 8)));
    else {
      store<u8>(to++, <u8>((7 << 5) | (back >> 8)));
      store<u8>(to++, <u8>(code - 7));
    }
    store<u8>(to++, <u8>back);
    from += count;
    literals = from;
  }
  to = putLiterals(literals, end, to, outEnd);
  return to == 0 || to >= outEnd ? 0 : <u32>(to - out);
}

/** @returns where to go on, 0 when there is no room */
function putLiterals(from: usize, end: usize, to: usize, outEnd: usize): usize {
  while (from < end) {
    const count = min<usize>(end - from, 32);
    if (to + count + 1 > outEnd) return 0;
    store<u8>(to++, <u8>(count - 1));
    memory.copy(to, from, count);
    from += count;
    to += count;
  }
  return to;
}
