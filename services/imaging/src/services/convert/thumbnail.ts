import type { CropWindow, Raster } from "./crop.ts";
import type { SampledLabels } from "./masks.ts";

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
  const { data } = image;
  for (let i = 0; i < data.length; i++) histogram[data[i] as number]! += 1;
  const wanted = Math.max(1, image.data.length * clipped);
  let low = 0;
  for (let seen = 0; low < 65_535 && seen + (histogram[low] as number) < wanted; low++)
    seen += histogram[low] as number;
  let high = 65_535;
  for (let seen = 0; high > low && seen + (histogram[high] as number) < wanted; high--)
    seen += histogram[high] as number;
  return { low, high: Math.max(high, low + 1) };
}

/** Red, green and blue, each from 0 to 1. */
type Colour = readonly [number, number, number];

/** Colours of channels on the sheet: the nucleus blue, then green, red, and grey for all further ones. */
export const channelColours: readonly Colour[] = [
  [0.35, 0.45, 1],
  [0.2, 1, 0.35],
  [1, 0.3, 0.3],
  [0.6, 0.6, 0.6],
];

/** Light of a grey from 0 to 1: what is dim is lifted, as a screen would hide it. */
const lightSteps = 4_096;
const lifted = Float32Array.from({ length: lightSteps + 1 }, (_, i) => (i / lightSteps) ** 0.7 * 255);

/** A nucleus where it is labelled, and the window of the crop there. */
export interface OutlinedNucleus {
  readonly image: SampledLabels;
  readonly window: CropWindow;
  readonly label: number;
}

const pixelsOfThumb = thumbSize * thumbSize;
/** Of the thumbnail being made: the light of all channels, and where the nucleus is. */
const light = new Float32Array(pixelsOfThumb * 3);
const own = new Uint8Array(pixelsOfThumb);

/**
 * A crop as a small RGB picture: channels as coloured light, the outline of the nucleus in orange. Looks at the pixels that it takes where they
 * are, so that nothing is cut out.
 *
 * @param channels of one size, the nucleus first; what of the window lies outside is black.
 * @param nucleus undefined: nothing is outlined.
 */
export function thumbnail(
  channels: readonly Raster[],
  window: CropWindow,
  stretches: readonly Stretch[],
  nucleus: OutlinedNucleus | undefined,
): Uint8Array {
  light.fill(0);
  for (const [c, channel] of channels.entries())
    shine(
      channel,
      window,
      stretches[c] as Stretch,
      channelColours[Math.min(c, channelColours.length - 1)] as Colour,
    );
  const rgb = new Uint8Array(light.length);
  for (let i = 0; i < rgb.length; i++) rgb[i] = Math.min(255, light[i] as number);
  if (nucleus !== undefined) drawOutline(rgb, nucleus);
  return rgb;
}

/**
 * Adds the light of a channel: of the pixels under one of the thumbnail the mean of all, of large crops of every other one or fewer, some
 * three rows and columns of them; of small crops the nearest.
 */
function shine(
  { data, width, height }: Raster,
  { top, left, size }: CropWindow,
  { low, high }: Stretch,
  [red, green, blue]: Colour,
): void {
  const step = Math.max(1, Math.round(size / thumbSize / 3));
  const taken = Math.max(1, Math.ceil(Math.floor(size / thumbSize) / step));
  const firsts = Int32Array.from({ length: thumbSize }, (_, i) => Math.floor((i * size) / thumbSize));
  const reach = taken * step;
  const scale = lightSteps / (high - low);
  for (let y = 0, place = 0; y < thumbSize; y++) {
    const row = top + (firsts[y] as number);
    // What reaches over an edge counts as far as it is inside.
    const first = row < 0 ? row + step * Math.ceil(-row / step) : row;
    const end = Math.min(row + reach, height);
    for (let x = 0; x < thumbSize; x++, place += 3) {
      const column = left + (firsts[x] as number);
      let sum = 0;
      if (column >= 0 && column + reach <= width)
        for (let at = first * width + column, to = end * width; at < to; at += step * width)
          for (let i = at; i < at + reach; i += step) sum += data[i] as number;
      else
        for (let at = first; at < end; at += step)
          for (let i = column; i < column + reach; i += step)
            if (i >= 0 && i < width) sum += data[at * width + i] as number;
      const grey = ((sum / (taken * taken) - low) * scale + 0.5) | 0;
      const of = lifted[Math.max(0, Math.min(lightSteps, grey))] as number;
      light[place]! += of * red;
      light[place + 1]! += of * green;
      light[place + 2]! += of * blue;
    }
  }
}

/** Around the pixels of a thumbnail whose middle is on the nucleus. */
function drawOutline(rgb: Uint8Array, { image, window, label }: OutlinedNucleus): void {
  const { labels, width, rows, columns } = image;
  const middles = (start: number, from: Int32Array) =>
    Int32Array.from(
      { length: thumbSize },
      (_, i) => from[start + Math.floor(((i + 0.5) * window.size) / thumbSize)] ?? -1,
    );
  const down = middles(window.top, rows);
  const across = middles(window.left, columns);
  own.fill(0);
  for (let y = 0; y < thumbSize; y++) {
    const row = (down[y] as number) * width;
    if (row < 0) continue;
    for (let x = 0; x < thumbSize; x++) {
      const column = across[x] as number;
      if (column >= 0 && labels[row + column] === label) own[y * thumbSize + x] = 1;
    }
  }
  const isInside = (y: number, x: number) =>
    y >= 0 && x >= 0 && y < thumbSize && x < thumbSize && own[y * thumbSize + x] === 1;
  for (let y = 0; y < thumbSize; y++)
    for (let x = 0; x < thumbSize; x++) {
      if (own[y * thumbSize + x] === 0) continue;
      if (isInside(y - 1, x) && isInside(y + 1, x) && isInside(y, x - 1) && isInside(y, x + 1)) continue;
      rgb.set([255, 190, 40], (y * thumbSize + x) * 3);
    }
}

/** Which of `count` crops are shown when `wanted` are: evenly spread, by index. */
export function chosen(count: number, wanted: number): number[] {
  if (count <= wanted) return Array.from({ length: count }, (_, i) => i);
  return Array.from({ length: wanted }, (_, i) => Math.floor((i * count) / wanted));
}
