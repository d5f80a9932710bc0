import type { Raster } from "./crop.ts";

/** Side of a thumbnail on the contact sheet, px. */
export const thumbSize = 128;

/** Share of the pixels of a field that may be black, and white, on the sheet. */
const clipped = 0.002;

/** Grey levels that become black and white. */
export interface Stretch {
  readonly low: number;
  readonly high: number;
}

/** The stretch of a whole channel, so that crops of one field compare. */
export function stretchOf(image: Raster): Stretch {
  const histogram = new Uint32Array(65_536);
  for (const value of image.data) histogram[value]! += 1;
  const wanted = Math.max(1, image.data.length * clipped);
  let low = 0;
  for (let seen = 0; low < 65_535 && seen + (histogram[low] as number) < wanted; low++)
    seen += histogram[low] as number;
  let high = 65_535;
  for (let seen = 0; high > low && seen + (histogram[high] as number) < wanted; high--)
    seen += histogram[high] as number;
  return { low, high: Math.max(high, low + 1) };
}

/** Colours of channels on the sheet: the nucleus blue, then green, red, and grey for all further ones. */
export const channelColours: readonly (readonly [number, number, number])[] = [
  [0.35, 0.45, 1],
  [0.2, 1, 0.35],
  [1, 0.3, 0.3],
  [0.6, 0.6, 0.6],
];

/**
 * A crop as a small RGB picture: channels as coloured light, the outline of the nucleus in orange.
 *
 * @param channels `size` × `size` each, the nucleus first.
 * @param own 1 on the nucleus; undefined where there is no mask.
 */
export function thumbnail(
  channels: readonly Uint16Array[],
  stretches: readonly Stretch[],
  own: Uint8Array | undefined,
  size: number,
): Uint8Array {
  const out = new Float32Array(thumbSize * thumbSize * 3);
  for (const [c, pixels] of channels.entries()) {
    const { low, high } = stretches[c] as Stretch;
    const colour = channelColours[Math.min(c, channelColours.length - 1)] as readonly [
      number,
      number,
      number,
    ];
    const small = shrink(pixels, size);
    for (let i = 0; i < small.length; i++) {
      const grey = Math.min(1, Math.max(0, ((small[i] as number) - low) / (high - low)));
      // Lifts what is dim, as a screen would hide it.
      const light = grey ** 0.7 * 255;
      for (let k = 0; k < 3; k++) out[i * 3 + k]! += light * (colour[k] as number);
    }
  }
  const rgb = Uint8Array.from(out, (value) => Math.min(255, value));
  if (own !== undefined) drawOutline(rgb, shrink(own, size));
  return rgb;
}

function drawOutline(rgb: Uint8Array, coverage: Float32Array): void {
  const inside = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < thumbSize && x < thumbSize && (coverage[y * thumbSize + x] as number) >= 0.5;
  for (let y = 0; y < thumbSize; y++)
    for (let x = 0; x < thumbSize; x++) {
      if (!inside(y, x)) continue;
      if (inside(y - 1, x) && inside(y + 1, x) && inside(y, x - 1) && inside(y, x + 1)) continue;
      rgb.set([255, 190, 40], (y * thumbSize + x) * 3);
    }
}

/** The mean of the pixels under every pixel of a thumbnail; of a small crop the nearest one. */
function shrink(pixels: Uint16Array | Uint8Array, size: number): Float32Array {
  const out = new Float32Array(thumbSize * thumbSize);
  const from = (i: number) => Math.floor((i * size) / thumbSize);
  for (let y = 0; y < thumbSize; y++) {
    const [y0, y1] = [from(y), Math.max(from(y) + 1, from(y + 1))];
    for (let x = 0; x < thumbSize; x++) {
      const [x0, x1] = [from(x), Math.max(from(x) + 1, from(x + 1))];
      let sum = 0;
      for (let sy = y0; sy < y1; sy++)
        for (let sx = x0; sx < x1; sx++) sum += pixels[sy * size + sx] as number;
      out[y * thumbSize + x] = sum / ((y1 - y0) * (x1 - x0));
    }
  }
  return out;
}

/** Which of `count` crops are shown when `wanted` are: evenly spread, by index. */
export function chosen(count: number, wanted: number): number[] {
  if (count <= wanted) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: wanted }, (_, i) => Math.floor((i * count) / wanted));
}
