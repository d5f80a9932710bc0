// HDF5's byte shuffle, both ways: byte k of every element together, for every k.

export function shuffle(from: usize, to: usize, count: u32, size: u32): void {
  for (let k: u32 = 0; k < size; k++) {
    for (let i: u32 = 0; i < count; i++) store<u8>(to + k * count + i, load<u8>(from + i * size + k));
  }
}

export function unshuffle(from: usize, to: usize, count: u32, size: u32): void {
  for (let k: u32 = 0; k < size; k++) {
    for (let i: u32 = 0; i < count; i++) store<u8>(to + i * size + k, load<u8>(from + k * count + i));
  }
}
