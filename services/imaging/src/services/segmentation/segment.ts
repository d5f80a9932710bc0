import { gaussianBlur } from "./blur.ts";
import { fillSmallHoles } from "./components.ts";
import { squaredDistance } from "./distance.ts";
import { otsuThreshold } from "./otsu.ts";
import { findPeaks } from "./peaks.ts";
import { watershed } from "./watershed.ts";

/** Blur before thresholding, in pixels: evens out shot noise and keeps the edges. */
export const blurSigmaPx = 1;

/**
 * How far a part of an object must rise above its neck to be an object of its own, in pixels of distance. Below 1, as the steps of a pixel
 * grid make false peaks; no difference of two distances on the grid equals 0.75, so no rounding decides.
 */
export const splitDynamicsPx = 0.75;

/** An object of a segmented image. */
export interface Nucleus {
  /** From 1, in the order of first pixels. */
  readonly label: number;
  readonly areaPx: number;
  /** Mean row and column of its pixels; pixel centres are whole numbers. */
  readonly centroidY: number;
  readonly centroidX: number;
  /** Half-open: rows minY to maxY - 1. */
  readonly minY: number;
  readonly minX: number;
  readonly maxY: number;
  readonly maxX: number;
}

/** A segmented image. */
export interface Segmentation {
  /** Grey level of the blurred image above which a pixel is foreground. */
  readonly threshold: number;
  /** Objects found, before those at the border and the small ones were dropped. */
  readonly found: number;
  readonly nuclei: Nucleus[];
  /** Label of every pixel; 0 in the background and in dropped objects. */
  readonly labels: Int32Array;
}

/**
 * Segment nuclei without a model ("classical"): blur → Otsu → fill small holes → distance transform → watershed from its peaks. Objects
 * that touch the border of the image or have fewer than `minAreaPx` pixels are dropped.
 *
 * @param breathe awaited between steps, so that an abort is heard; 2 s per 10 Mpx may go by between two.
 */
export async function segment(
  pixels: Uint16Array,
  width: number,
  height: number,
  minAreaPx: number,
  breathe: () => Promise<void> = async () => undefined,
): Promise<Segmentation> {
  const { mask, threshold } = foreground(pixels, width, height);
  await breathe();
  fillSmallHoles(mask, width, height, minAreaPx);
  await breathe();
  const squared = squaredDistance(mask, width, height);
  await breathe();
  const peaks = findPeaks(squared, width, height, splitDynamicsPx);
  await breathe();
  const labels = watershed(squared, width, height, peaks);
  await breathe();
  const nuclei = keepWhole(labels, width, height, peaks.length, minAreaPx);
  return { threshold, found: peaks.length, nuclei, labels };
}

function foreground(pixels: Uint16Array, width: number, height: number) {
  const blurred = gaussianBlur(pixels, width, height, blurSigmaPx);
  const threshold = otsuThreshold(blurred);
  const mask = new Uint8Array(pixels.length);
  for (let i = 0; i < mask.length; i++) mask[i] = (blurred[i] as number) > threshold ? 1 : 0;
  return { mask, threshold };
}

/** Measure every object, drop those cut off or small, and number the rest by their first pixels, in place. */
function keepWhole(
  labels: Int32Array,
  width: number,
  height: number,
  count: number,
  minAreaPx: number,
): Nucleus[] {
  const empty = () => ({ area: 0, y: 0, x: 0, minY: height, minX: width, maxY: 0, maxX: 0 });
  const sums = Array.from({ length: count + 1 }, empty);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (labels[i] === 0) continue;
      const sum = sums[labels[i] as number] as ReturnType<typeof empty>;
      sum.area += 1;
      sum.y += y;
      sum.x += x;
      if (y < sum.minY) sum.minY = y;
      if (x < sum.minX) sum.minX = x;
      if (y >= sum.maxY) sum.maxY = y + 1;
      if (x >= sum.maxX) sum.maxX = x + 1;
    }
  }
  const whole = (sum: ReturnType<typeof empty>) =>
    sum.area >= minAreaPx && sum.minY > 0 && sum.minX > 0 && sum.maxY < height && sum.maxX < width;
  const kept: Nucleus[] = [];
  // 0: not seen yet, -1: dropped.
  const numbers = new Int32Array(count + 1);
  for (let i = 0; i < labels.length; i++) {
    const old = labels[i] as number;
    if (old === 0) continue;
    if (numbers[old] === 0) {
      const { area, y, x, ...box } = sums[old] as ReturnType<typeof empty>;
      numbers[old] = whole({ area, y, x, ...box }) ? kept.length + 1 : -1;
      if (numbers[old] > 0)
        kept.push({ label: numbers[old], areaPx: area, centroidY: y / area, centroidX: x / area, ...box });
    }
    labels[i] = Math.max(0, numbers[old] as number);
  }
  return kept;
}
