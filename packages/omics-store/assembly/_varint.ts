// Unsigned LEB128 of 32 bits.

export function writeVarint(to: usize, value: u32): usize {
  while (value > 127) {
    store<u8>(to++, <u8>(value | 128));
    value >>= 7;
  }
  store<u8>(to++, <u8>value);
  return to;
}

export let varintValue: u32 = 0;
export let varintEnd: usize = 0;

/** Reads into `varintValue` and `varintEnd`; false when it would run past `end` or needs more than 32 bits. */
export function readVarint(from: usize, end: usize): bool {
  let value: u32 = 0;
  for (let shift: u32 = 0; shift < 35; shift += 7) {
    if (from >= end) return false;
    const byte = <u32>load<u8>(from++);
    if (shift == 28 && byte > 15) return false;
    value |= (byte & 127) << shift;
    if (byte < 128) {
      varintValue = value;
      varintEnd = from;
      return true;
    }
  }
  return false;
}
