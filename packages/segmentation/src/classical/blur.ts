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
  const starts = new Array<number>(2 * radius + 1);
  for (let y = 0; y < height; y++) {
    for (let k = -radius; k <= radius; k++)
      starts[k + radius] = Math.min(height - 1, Math.max(0, y + k)) * width;
    for (let x = 0; x < width; x++) {
      let sum = (pixels[(starts[radius] as number) + x] as number) * (kernel[0] as number);
      for (let k = radius; k > 0; k--)
        sum +=
          ((pixels[(starts[radius - k] as number) + x] as number) +
            (pixels[(starts[radius + k] as number) + x] as number)) *
          (kernel[k] as number);
      row[x + radius] = sum;
    }
    row.fill(row[radius] as number, 0, radius);
    row.fill(row[radius + width - 1] as number, radius + width);
    for (let x = 0; x < width; x++) {
      const centre = x + radius;
      let sum = (row[centre] as number) * (kernel[0] as number);
      for (let k = radius; k > 0; k--)
        sum += ((row[centre - k] as number) + (row[centre + k] as number)) * (kernel[k] as number);
      result[y * width + x] = rounded ? Math.round(sum) : sum;
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
