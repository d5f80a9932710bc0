import type { Measured } from "@cytomesh/segmentation";
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
  /** Of the nucleus among everything segmented. */
  readonly label: number;
  readonly all: {
    readonly labels: Int32Array;
    readonly width: number;
    readonly instances: readonly Measured[];
  };
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

/** Others with a pixel in a window: looked for where their boxes meet it, until one is found. */
function neighboursIn(window: CropWindow, { label, all, rows, columns }: Neighbourhood): number {
  const { top, left, bottom, right } = insideOf(window, columns.length, rows.length);
  if (left >= right || top >= bottom) return 0;
  let count = 0;
  for (const other of all.instances) {
    if (other.label === label) continue;
    const [y0, y1] = [firstFrom(rows, other.minY, top, bottom), firstFrom(rows, other.maxY, top, bottom)];
    const [x0, x1] = [
      firstFrom(columns, other.minX, left, right),
      firstFrom(columns, other.maxX, left, right),
    ];
    if (isIn(all, other.label, rows.subarray(y0, y1), columns.subarray(x0, x1))) count += 1;
  }
  return count;
}

/** The first index from `start` on whose value is `value` or more, `end` if none. `values` ascend. */
function firstFrom(values: Int32Array, value: number, start: number, end: number): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isIn({ labels, width }: Neighbourhood["all"], label: number, rows: Int32Array, columns: Int32Array) {
  // From its middle: labels are seldom at the corners of their boxes.
  for (let i = 0; i < rows.length; i++) {
    const y = rows[(i + (rows.length >> 1)) % rows.length] as number;
    for (let k = 0; k < columns.length; k++)
      if (labels[y * width + (columns[k] as number)] === label) return true;
  }
  return false;
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
