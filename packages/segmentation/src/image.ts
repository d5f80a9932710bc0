import { SegmentationError } from "./errors.ts";
import type { Pixels, SegmentContext } from "./types.ts";

/** Ages and positions of pixels are counted in 31 bits; 16,384 × 16,384 pixels. */
export const maxPixels = 2 ** 28;

/** @throws SegmentationError `invalid_image` when the sides do not fit the pixels, `too_large` above 2^28 pixels */
export function checkImage(pixels: ArrayLike<unknown>, width: number, height: number): void {
  const sides = Number.isSafeInteger(width) && Number.isSafeInteger(height) && width > 0 && height > 0;
  if (!sides || pixels.length !== width * height)
    throw new SegmentationError(
      "invalid_image",
      `expected ${height} × ${width} pixels, found ${pixels.length} of them`,
    );
  if (pixels.length > maxPixels)
    throw new SegmentationError(
      "too_large",
      `an image has at most ${maxPixels} pixels, this has ${pixels.length}`,
    );
}

/**
 * Lowest and highest pixel.
 * @throws SegmentationError `invalid_image` for a pixel that is not finite
 */
export function rangeOf(pixels: Pixels): { min: number; max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
    // NaN compares false above, and stays in a sum.
    sum += value * 0;
  }
  if (sum !== 0 || !(min <= max))
    throw new SegmentationError("invalid_image", "expected finite pixels, found NaN or an infinity");
  return { min, max };
}

/** Lets other work in, and stops when the caller gave up. */
export async function pause(context: SegmentContext): Promise<void> {
  await context.breathe?.();
  if (context.signal?.aborted)
    throw new SegmentationError("cancelled", "the segmentation was cancelled", {
      cause: context.signal.reason,
    });
}
