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
