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
 * @param others labels of everything segmented, 0 on the background and on the nucleus of the crop, cut to the window.
 * @param channels the image that the crop is cut from.
 */
export function qualityOf(
  window: CropWindow,
  others: Int32Array,
  channels: readonly Raster[],
  saturation: number,
  atBorder: boolean,
): CropQuality {
  const seen = new Set<number>();
  let last = 0;
  for (const label of others) {
    if (label === last || label === 0) continue;
    last = label;
    seen.add(label);
  }
  const { width, height } = channels[0] as Raster;
  return {
    paddedFraction: paddedFraction(window, width, height),
    neighbours: seen.size,
    saturatedFraction: Math.max(...channels.map((channel) => saturatedIn(channel, window, saturation))),
    atBorder,
  };
}

function saturatedIn(image: Raster, window: CropWindow, saturation: number): number {
  const { top, left, bottom, right } = insideOf(window, image.width, image.height);
  let count = 0;
  for (let y = top; y < bottom; y++)
    for (let i = y * image.width + left, end = y * image.width + right; i < end; i++)
      if ((image.data[i] as number) >= saturation) count += 1;
  const pixels = Math.max(0, bottom - top) * Math.max(0, right - left);
  return pixels === 0 ? 0 : count / pixels;
}
