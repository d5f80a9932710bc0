// The head of a block of deflate with a code of its own (RFC 1951, 3.2.7).

import { makeCode } from "../../codecs/assembly/_huffman";
import { putBits } from "./_png-bits";

const lengthSymbols: usize = memory.data(320);
const lengthExtras: usize = memory.data(320);
const lengthFreq: usize = memory.data(20 * 4);
const lengthLens: usize = memory.data(20);
const lengthCodes: usize = memory.data(20 * 2);
const lengthOrder: usize = memory.data<u8>([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]);

/** The head of a block whose at most `most` symbols have codes of `lens` bits (u8; two more are overwritten), but for its first three bits. */
export function putHead(lens: usize, most: u32): void {
  let symbols: u32 = most;
  while (symbols > 257 && load<u8>(lens + symbols - 1) == 0) symbols--;
  // Lengths of literals and runs, and two distances of one bit: not every decoder takes a code of one.
  store<u8>(lens + symbols, 1);
  store<u8>(lens + symbols, 1, 1);
  const all = symbols + 2;
  memory.fill(lengthFreq, 0, 19 * 4);
  let n: u32 = 0;
  for (let i: u32 = 0; i < all; ) {
    const value = load<u8>(lens + i);
    let run: u32 = 1;
    while (i + run < all && load<u8>(lens + i + run) == value) run++;
    i += run;
    if (value != 0) {
      n = putLength(n, value, 0);
      run--;
    }
    while (run >= 3) {
      if (value != 0) {
        const take = min<u32>(run, 6);
        n = putLength(n, 16, take - 3);
        run -= take;
      } else {
        const take = min<u32>(run, 138);
        n = take < 11 ? putLength(n, 17, take - 3) : putLength(n, 18, take - 11);
        run -= take;
      }
    }
    for (; run > 0; run--) n = putLength(n, value, 0);
  }
  makeCode(lengthFreq, 19, 7, lengthLens, lengthCodes);
  let sent: u32 = 19;
  while (sent > 4 && load<u8>(lengthLens + load<u8>(lengthOrder + sent - 1)) == 0) sent--;
  putBits((symbols - 257) | (1 << 5) | ((sent - 4) << 10), 14);
  for (let i: u32 = 0; i < sent; i++) putBits(load<u8>(lengthLens + load<u8>(lengthOrder + i)), 3);
  for (let i: u32 = 0; i < n; i++) {
    const symbol = <u32>load<u8>(lengthSymbols + i);
    putBits(load<u16>(lengthCodes + (symbol << 1)), load<u8>(lengthLens + symbol));
    if (symbol >= 16) putBits(load<u8>(lengthExtras + i), symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
  }
  store<u8>(lens + symbols, 0);
  store<u8>(lens + symbols, 0, 1);
}

function putLength(n: u32, symbol: u32, extra: u32): u32 {
  store<u8>(lengthSymbols + n, symbol);
  store<u8>(lengthExtras + n, extra);
  const at = lengthFreq + (symbol << 2);
  store<u32>(at, load<u32>(at) + 1);
  return n + 1;
}
