import { SegmentationError } from "../errors.ts";
import { checkImage, pause, rangeOf } from "../image.ts";
import { measure } from "../labels.ts";
import type { ClassicalProvenance, Pixels, Segmentation, SegmentContext, Segmenter } from "../types.ts";
import { gaussianBlur } from "./blur.ts";
import { fillSmallHoles } from "./components.ts";
import { squaredDistance } from "./distance.ts";
import { otsuThreshold, otsuThresholdOfReals } from "./otsu.ts";
import { findPeaks } from "./peaks.ts";
import { watershed } from "./watershed.ts";

/** Blur before thresholding, in pixels: evens out shot noise and keeps the edges. */
export const blurSigmaPx = 1;

/**
 * How far a part of an object must rise above its neck to be an object of its own, in pixels of distance. Below 1, as the steps of a pixel
 * grid make false peaks; no difference of two distances on the grid equals 0.75, so no rounding decides.
 */
export const splitDynamicsPx = 0.75;

/**
 * Otsu's threshold parts noise too: into halves whose means are 2.7 standard deviations of the lower one apart, whatever its distribution
 * (uniform, normal, Poisson). Channels of nuclei have from 4 to 45 of them (20 images of a dozen microscopes).
 */
const apartFrom = 3;
const hardlyApart = `foreground and background are less than ${apartFrom} standard deviations of the background apart: what was found may be noise`;

export interface ClassicalOptions {
  /** Holes of fewer pixels are filled before objects are parted; default 100. */
  readonly fillHolesBelowPx?: number;
}

/** The classical segmenter; see `segmentClassical`. */
export function createClassicalSegmenter(options: ClassicalOptions = {}): Segmenter {
  return {
    method: "classical",
    segment: (pixels, width, height, context) => segmentClassical(pixels, width, height, options, context),
    close: async () => undefined,
  };
}

/**
 * Segment nuclei without a model: blur → Otsu → fill small holes → distance transform → watershed from its peaks. Labels are in the order of
 * first pixels. Between two pauses, 2 s per 10 Mpx may go by.
 *
 * 8- and 16-bit pixels are thresholded at whole grey levels. Others are thresholded in float32 over 256 classes, as scikit-image does.
 *
 * @throws SegmentationError `invalid_image`, `too_large`, `cancelled`
 */
export async function segmentClassical(
  pixels: Pixels,
  width: number,
  height: number,
  options: ClassicalOptions = {},
  context: SegmentContext = {},
): Promise<Segmentation<ClassicalProvenance>> {
  const fillHolesBelowPx = options.fillHolesBelowPx ?? 100;
  if (!(fillHolesBelowPx >= 0))
    throw new SegmentationError(
      "invalid_argument",
      `fillHolesBelowPx is a number from 0 up, found ${fillHolesBelowPx}`,
    );
  checkImage(pixels, width, height);
  const { mask, threshold, apart } = foreground(pixels, width, height);
  await pause(context);
  fillSmallHoles(mask, width, height, fillHolesBelowPx);
  await pause(context);
  const squared = squaredDistance(mask, width, height);
  await pause(context);
  const peaks = findPeaks(squared, width, height, splitDynamicsPx);
  await pause(context);
  const labels = watershed(squared, width, height, peaks);
  await pause(context);
  inOrderOfFirstPixels(labels, peaks.length);
  return {
    width,
    height,
    labels,
    instances: measure(labels, width, height),
    provenance: { method: "classical", threshold, blurSigmaPx, fillHolesBelowPx, splitDynamicsPx },
    warnings: apart < apartFrom ? [hardlyApart] : [],
  };
}

interface Foreground {
  readonly mask: Uint8Array;
  readonly threshold: number;
  /** Means of foreground and background, in standard deviations of the background. */
  readonly apart: number;
}

function foreground(pixels: Pixels, width: number, height: number): Foreground {
  const grey = greyLevels(pixels);
  if (grey === undefined) {
    rangeOf(pixels);
    const blurred = gaussianBlur(pixels, width, height, blurSigmaPx, new Float32Array(pixels.length));
    return above(blurred, otsuThresholdOfReals(blurred));
  }
  const blurred = gaussianBlur(grey.levels, width, height, blurSigmaPx, new Uint16Array(pixels.length));
  const found = above(blurred, otsuThreshold(blurred));
  return { ...found, threshold: found.threshold + grey.offset };
}

/** 8- and 16-bit pixels as grey levels from 0 to 65,535; undefined for others. */
function greyLevels(pixels: Pixels): { levels: Uint16Array | Uint8Array; offset: number } | undefined {
  if (pixels instanceof Uint16Array || pixels instanceof Uint8Array) return { levels: pixels, offset: 0 };
  if (pixels instanceof Int8Array || pixels instanceof Int16Array)
    return { levels: Uint16Array.from(pixels, (value) => value + 32_768), offset: -32_768 };
  return undefined;
}

function above(blurred: Uint16Array | Float32Array, threshold: number): Foreground {
  const mask = new Uint8Array(blurred.length);
  let inside = 0;
  let sumInside = 0;
  // From the threshold, so that squares keep their digits.
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < mask.length; i++) {
    const over = (blurred[i] as number) - threshold;
    if (over > 0) {
      mask[i] = 1;
      inside += 1;
      sumInside += over;
    } else {
      sum += over;
      squares += over * over;
    }
  }
  const outside = mask.length - inside;
  const mean = sum / outside;
  const deviation = Math.sqrt(Math.max(0, squares / outside - mean ** 2));
  const apart =
    inside === 0 || deviation === 0 ? Number.POSITIVE_INFINITY : (sumInside / inside - mean) / deviation;
  return { mask, threshold, apart };
}

/** Watershed labels follow the peaks; here they come to follow the first pixels, in place. */
function inOrderOfFirstPixels(labels: Int32Array, count: number): void {
  const numbers = new Int32Array(count + 1);
  let seen = 0;
  for (let i = 0; i < labels.length; i++) {
    const old = labels[i] as number;
    if (old === 0) continue;
    if (numbers[old] === 0) numbers[old] = ++seen;
    labels[i] = numbers[old] as number;
  }
}
