// What LZF and DEFLATE share: a back reference whose source may overlap its target.

/** For distances up to 16: which of the last bytes goes where, and how far the pattern reaches before it begins anew. */
const patterns: usize = memory.data(17 * 16, 16);
const steps: usize = memory.data(32, 16);

export function preparePatterns(): void {
  if (load<u8>(steps, 1) != 0) return;
  for (let distance: u32 = 1; distance <= 16; distance++) {
    for (let i: u32 = 0; i < 16; i++) store<u8>(patterns + distance * 16 + i, <u8>(i % distance));
    store<u8>(steps + distance, <u8>(16 - (16 % distance)));
  }
}

/** Copies `length` bytes from `distance` before `to`; may write 31 bytes more. Hardly ever branches for what is shorter than 26 bytes. */
// @ts-ignore: decorator
@inline
export function copyBack(to: usize, distance: usize, length: usize): void {
  const end = to + length;
  const near = min<usize>(distance, 16);
  const step: usize = load<u8>(steps + near);
  // A multiple of the distance from which on whole vectors may be read.
  const back = select<usize>(step, distance, distance < 16);
  v128.store(to, i8x16.swizzle(v128.load(to - distance), v128.load(patterns + (near << 4))));
  to += step;
  v128.store(to, v128.load(to - back));
  to += step;
  while (to < end) {
    v128.store(to, v128.load(to - back));
    to += step;
  }
}
