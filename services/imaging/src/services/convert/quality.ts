import { type CropWindow, insideOf, paddedFraction, type Raster } from "./crop.ts";

/** Share of saturated pixels from which a crop is flagged: single hot pixels are no harm. */
const saturatedFrom = 0.001;

/** What may be wrong with a crop. */
export interface CropQuality {
  /** Share of the crop outside the field, zero there. */
  readonly paddedFraction: number;
  /** Other nuclei with a pixel in the crop, also those too small or cut off to have a crop of their own. */
  readonly neighbours: number;
  /** Largest share of saturated pixels of any channel. */
  readonly saturatedFraction: number;
  /** Does the nucleus touch the edge of the field? */
  readonly atBorder: boolean;
}

/** A nucleus and everything segmented, in the field as it was segmented, and where the rows and columns of the image cut from are in it. */
export interface Neighbourhood {
  readonly label: number;
  /** Labels of the nuclei with crops. */
  readonly kept: Int32Array;
  readonly all: { readonly labels: Int32Array; readonly width: number };
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** Flags of a crop, for the table and the contact sheet. */
export function flagsOf(quality: CropQuality): string[] {
  return [
    quality.paddedFraction > 0 ? "padded" : "",
    quality.neighbours > 0 ? "neighbours" : "",
    quality.saturatedFraction >= saturatedFrom ? "saturated" : "",
    quality.atBorder ? "border" : "",
  ].filter((flag) => flag !== "");
}

/**
 * Look at a crop.
 *
 * @param nucleus absent where nothing was segmented.
 * @param channels the image that the crop is cut from, each with a value that none of its pixels exceeds.
 */
export function qualityOf(
  window: CropWindow,
  nucleus: Neighbourhood | undefined,
  channels: readonly (Raster & { readonly max: number })[],
  saturation: number,
  atBorder: boolean,
): CropQuality {
  const { width, height } = channels[0] as Raster;
  return {
    paddedFraction: paddedFraction(window, width, height),
    neighbours: nucleus === undefined ? 0 : neighboursIn(window, nucleus),
    saturatedFraction: Math.max(...channels.map((channel) => saturatedIn(channel, window, saturation))),
    atBorder,
  };
}

/** Labels in a window that are not on the nucleus itself. */
function neighboursIn(window: CropWindow, { label, kept, all, rows, columns }: Neighbourhood): number {
  const { top, left, bottom, right } = insideOf(window, columns.length, rows.length);
  if (left >= right) return 0;
  const from = columns.subarray(left, right);
  // Without the copies of an enlarged image.
  const across = from.filter((column, i) => i === 0 || column !== from[i - 1]);
  const { labels } = all;
  const seen = new Set<number>();
  let last = 0;
  let row = -1;
  for (let y = top; y < bottom; y++) {
    if (rows[y] === row) continue;
    row = rows[y] as number;
    const start = row * all.width;
    for (let x = 0; x < across.length; x++) {
      const at = start + (across[x] as number);
      const one = labels[at] as number;
      if (one === last || one === 0 || kept[at] === label) continue;
      last = one;
      seen.add(one);
    }
  }
  return seen.size;
}

/** The largest value of an image. */
export function maxOf(image: Raster): number {
  const { data } = image;
  let max = 0;
  for (let i = 0; i < data.length; i++) if ((data[i] as number) > max) max = data[i] as number;
  return max;
}

function saturatedIn(
  image: Raster & { readonly max: number },
  window: CropWindow,
  saturation: number,
): number {
  if (image.max < saturation) return 0;
  const { top, left, bottom, right } = insideOf(window, image.width, image.height);
  let count = 0;
  for (let y = top; y < bottom; y++)
    for (let i = y * image.width + left, end = y * image.width + right; i < end; i++)
      if ((image.data[i] as number) >= saturation) count += 1;
  const pixels = Math.max(0, bottom - top) * Math.max(0, right - left);
  return pixels === 0 ? 0 : count / pixels;
}
