import { MicroscopyError } from "../errors.ts";
import { newPixels } from "../pixels.ts";
import type { Plane, Region } from "../types.ts";

/** A window of a plane; it may reach over the edges, where there are zeros. */
export function cropPlane(plane: Plane, window: Region): Plane {
  const { width, height, samples, pixelType } = plane;
  const { x: left, y: top } = window;
  if (
    ![left, top, window.width, window.height].every(Number.isInteger) ||
    window.width < 1 ||
    window.height < 1
  )
    throw new MicroscopyError(
      "invalid-argument",
      `Expected a window of whole pixels, found ${JSON.stringify(window)}`,
    );
  const data = newPixels(pixelType, window.width * window.height * samples) as Uint16Array<ArrayBuffer>;
  const source = plane.data as Uint16Array;
  const x0 = Math.max(0, left);
  const x1 = Math.min(width, left + window.width);
  for (let y = Math.max(0, top); x0 < x1 && y < Math.min(height, top + window.height); y++)
    data.set(
      source.subarray((y * width + x0) * samples, (y * width + x1) * samples),
      ((y - top) * window.width + (x0 - left)) * samples,
    );
  return { width: window.width, height: window.height, samples, pixelType, data };
}
