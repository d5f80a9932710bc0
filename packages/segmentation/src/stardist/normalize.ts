import { SegmentationError } from "../errors.ts";
import { rangeOf } from "../image.ts";
import type { Pixels } from "../types.ts";
import type { Normalization } from "./model.ts";

/** Percentiles of StarDist's examples. */
const lowPercent = 1;
const highPercent = 99.8;

/**
 * Pixels as a network expects them, float32.
 *
 * - `min-max`: (v − min) / (max − min), in float64 before the rounding: the rule of the OpenCell conversion.
 * - `percentile`: (v − p1) / (p99.8 − p1 + 1e-20), in float32 and not clipped: CSBDeep's `normalize(x, 1, 99.8)`.
 * - `none`: as they are.
 *
 * @throws SegmentationError `invalid_image` for pixels that are not finite, or all equal where a range is needed
 */
export function normalizePixels(pixels: Pixels, how: Normalization): Float32Array {
  const { min, max } = rangeOf(pixels);
  if (how === "none") return Float32Array.from(pixels);
  if (how === "min-max") {
    checkContrast(min, max, min);
    const range = max - min;
    return map(pixels, (value) => (value - min) / range);
  }
  const [low, high] = percentiles(pixels, min, max);
  checkContrast(low, high, min);
  const from = Math.fround(low);
  const range = Math.fround(Math.fround(Math.fround(high) - from) + Math.fround(1e-20));
  return map(pixels, (value) => Math.fround(Math.fround(value) - from) / range);
}

function checkContrast(low: number, high: number, value: number): void {
  if (high > low) return;
  throw new SegmentationError(
    "invalid_image",
    `expected an image with some contrast to normalise, found one that is ${value} (almost) everywhere`,
  );
}

function map(pixels: Pixels, f: (value: number) => number): Float32Array {
  const result = new Float32Array(pixels.length);
  for (let i = 0; i < result.length; i++) result[i] = f(pixels[i] as number);
  return result;
}

/** Percentiles by linear interpolation between the nearest two pixels, as numpy's `percentile`. */
function percentiles(pixels: Pixels, min: number, max: number): [number, number] {
  const integers = !(pixels instanceof Float32Array || pixels instanceof Float64Array);
  const at = integers && max - min < 2 ** 20 ? byCounting(pixels, min, max) : bySorting(pixels);
  const percentile = (percent: number) => {
    const position = (percent / 100) * (pixels.length - 1);
    const below = Math.floor(position);
    const a = at(below);
    return a + (at(Math.min(below + 1, pixels.length - 1)) - a) * (position - below);
  };
  return [percentile(lowPercent), percentile(highPercent)];
}

function bySorting(pixels: Pixels): (rank: number) => number {
  const sorted = pixels.slice().sort();
  return (rank) => sorted[rank] as number;
}

function byCounting(pixels: Pixels, min: number, max: number): (rank: number) => number {
  const counts = new Uint32Array(max - min + 1);
  for (let i = 0; i < pixels.length; i++) counts[(pixels[i] as number) - min]! += 1;
  return (rank) => {
    let level = 0;
    for (let seen = counts[0] as number; seen <= rank; seen += counts[level] as number) level += 1;
    return level + min;
  };
}
