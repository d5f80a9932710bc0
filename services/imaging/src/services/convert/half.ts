/**
 * A crop as scPortrait keeps it: every channel scaled to 0 … 1 by its own lowest and highest value, as the bits of float16. A channel of one
 * value is 0.
 */
export function scaledHalf(pixels: Uint16Array): Uint16Array {
  let min = 65_535;
  let max = 0;
  for (const value of pixels) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const half = new Float16Array(pixels.length);
  if (max > min) for (let i = 0; i < half.length; i++) half[i] = ((pixels[i] as number) - min) / (max - min);
  return new Uint16Array(half.buffer);
}

/** A mask of 0 and 1 as the bits of float16. */
export function maskHalf(mask: Uint8Array): Uint16Array {
  return Uint16Array.from(mask, (value) => (value === 0 ? 0 : 0x3c00));
}
