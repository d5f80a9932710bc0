import type { Pixels } from "../types.ts";

/** Gaussian blur reaches out to this many sigmas, as in SciPy. */
const truncate = 4;

/**
 * Gaussian blur of `height` × `width` pixels into `result`, which is returned: rounded to whole grey levels if it holds integers. Edge
 * pixels are repeated outwards. As scikit-image's `gaussian` with `preserve_range`, before the rounding.
 */
export function gaussianBlur<R extends Uint16Array | Float32Array>(
  pixels: Pixels,
  width: number,
  height: number,
  sigma: number,
  result: R,
): R {
  const rounded = result instanceof Uint16Array;
  const radius = Math.floor(truncate * sigma + 0.5);
  const kernel = gaussianKernel(sigma, radius);
  // A column of the row in the making, with the repeated edges on both sides.
  const row = new Float64Array(width + 2 * radius);
  const sums = new Float64Array(width);
  // One weight after the other: loops of a few steps in every pixel cost more than what they do.
  for (let y = 0; y < height; y++) {
    const own = y * width;
    const centre = kernel[0] as number;
    for (let x = 0; x < width; x++) row[x + radius] = (pixels[own + x] as number) * centre;
    for (let k = radius; k > 0; k--) {
      const weight = kernel[k] as number;
      const above = Math.max(0, y - k) * width;
      const below = Math.min(height - 1, y + k) * width;
      for (let x = 0; x < width; x++)
        row[x + radius]! += ((pixels[above + x] as number) + (pixels[below + x] as number)) * weight;
    }
    row.fill(row[radius] as number, 0, radius);
    row.fill(row[radius + width - 1] as number, radius + width);
    for (let x = 0; x < width; x++) sums[x] = (row[x + radius] as number) * centre;
    for (let k = radius; k > 0; k--) {
      const weight = kernel[k] as number;
      const [left, right] = [radius - k, radius + k];
      for (let x = 0; x < width; x++)
        sums[x]! += ((row[x + left] as number) + (row[x + right] as number)) * weight;
    }
    for (let x = 0; x < width; x++) {
      const sum = sums[x] as number;
      result[own + x] = rounded ? Math.round(sum) : sum;
    }
  }
  return result;
}

/** Weights at distance 0 to `radius`; over both sides they sum to 1. */
function gaussianKernel(sigma: number, radius: number): Float64Array {
  const kernel = Float64Array.from({ length: radius + 1 }, (_, k) =>
    Math.exp((-0.5 * k * k) / (sigma * sigma)),
  );
  const sum = kernel.reduce((total, weight, k) => total + (k === 0 ? weight : 2 * weight), 0);
  return kernel.map((weight) => weight / sum);
}
