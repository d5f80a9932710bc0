import { newPixels } from "../pixels.ts";
import type { Plane } from "../types.ts";

/**
 * A plane of half the size, for the levels of a pyramid: means of 2 × 2 pixels (integers rounded half up), or every second pixel, which
 * labels need. Odd sides are rounded up.
 */
export function shrinkPlane(plane: Plane, how: "mean" | "nearest"): Plane {
  const { samples, pixelType } = plane;
  const width = Math.ceil(plane.width / 2);
  const height = Math.ceil(plane.height / 2);
  const data = newPixels(pixelType, width * height * samples);
  const mean = how === "mean" && !(data instanceof BigInt64Array) && !(data instanceof BigUint64Array);
  const whole = pixelType !== "float32" && pixelType !== "float64";
  const source = plane.data as Float64Array;
  const result = data as Float64Array<ArrayBuffer>;
  const stride = plane.width * samples;
  for (let y = 0, to = 0; y < height; y++) {
    const row = 2 * y * stride;
    const below = 2 * y + 1 < plane.height ? row + stride : row;
    for (let x = 0; x < width; x++) {
      const right = 2 * x + 1 < plane.width ? samples : 0;
      for (let s = 0; s < samples; s++, to++) {
        const at = 2 * x * samples + s;
        if (!mean) result[to] = source[row + at]!;
        else {
          const sum =
            source[row + at]! + source[row + at + right]! + source[below + at]! + source[below + at + right]!;
          result[to] = whole ? Math.floor(sum / 4 + 0.5) : sum / 4;
        }
      }
    }
  }
  return { width, height, samples, pixelType, data };
}
