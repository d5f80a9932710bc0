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

/** Light of a grey from 0 to 1: what is dim is lifted, as a screen would hide it. */
const lightSteps = 4_096;
const lifted = Float32Array.from({ length: lightSteps + 1 }, (_, i) => (i / lightSteps) ** 0.7 * 255);

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
    const [red, green, blue] = colour;
    const small = shrink(pixels, size);
    for (let i = 0; i < small.length; i++) {
      const grey = ((small[i] as number) - low) / (high - low);
      const light = lifted[Math.min(lightSteps, Math.max(0, Math.round(grey * lightSteps)))] as number;
      out[i * 3]! += light * red;
      out[i * 3 + 1]! += light * green;
      out[i * 3 + 2]! += light * blue;
    }
  }
  const rgb = new Uint8Array(out.length);
  for (let i = 0; i < rgb.length; i++) rgb[i] = Math.min(255, out[i] as number);
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

/**
 * The mean of the pixels under every pixel of a thumbnail, of large crops of every other one or fewer, some three rows and columns of them; of
 * small crops the nearest.
 */
function shrink(pixels: Uint16Array | Uint8Array, size: number): Float32Array {
  const out = new Float32Array(thumbSize * thumbSize);
  const step = Math.max(1, Math.round(size / thumbSize / 3));
  const from = Int32Array.from({ length: thumbSize + 1 }, (_, i) => Math.floor((i * size) / thumbSize));
  for (let y = 0; y < thumbSize; y++) {
    const y0 = from[y] as number;
    const y1 = Math.max(y0 + 1, from[y + 1] as number);
    for (let x = 0; x < thumbSize; x++) {
      const x0 = from[x] as number;
      const x1 = Math.max(x0 + 1, from[x + 1] as number);
      let sum = 0;
      let count = 0;
      for (let row = y0 * size; row < y1 * size; row += step * size)
        for (let i = row + x0; i < row + x1; i += step) {
          sum += pixels[i] as number;
          count += 1;
        }
      out[y * thumbSize + x] = sum / count;
    }
  }
  return out;
}

/** Which of `count` crops are shown when `wanted` are: evenly spread, by index. */
export function chosen(count: number, wanted: number): number[] {
  if (count <= wanted) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: wanted }, (_, i) => Math.floor((i * count) / wanted));
}
