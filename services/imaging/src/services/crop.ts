/** Where a crop lies in its field; it may reach over the edges. */
export interface CropWindow {
  readonly top: number;
  readonly left: number;
  readonly size: number;
  /** Does it reach over an edge? */
  readonly padded: boolean;
}

/** The square of `size` pixels around a centroid: the pixel nearest to it has `floor(size / 2)` pixels above and to the left. */
export function cropWindow(
  centroid: { centroidY: number; centroidX: number },
  size: number,
  width: number,
  height: number,
): CropWindow {
  const half = Math.floor(size / 2);
  const top = Math.round(centroid.centroidY) - half;
  const left = Math.round(centroid.centroidX) - half;
  return { top, left, size, padded: top < 0 || left < 0 || top + size > height || left + size > width };
}

/** The pixels of a window, `size` × `size`; zero where there is no field. */
export function crop(pixels: Uint16Array, width: number, height: number, window: CropWindow): Uint16Array {
  const { top, left, size } = window;
  const result = new Uint16Array(size * size);
  const x0 = Math.max(0, left);
  const x1 = Math.min(width, left + size);
  if (x0 >= x1) return result;
  for (let y = Math.max(0, top); y < Math.min(height, top + size); y++)
    result.set(pixels.subarray(y * width + x0, y * width + x1), (y - top) * size + (x0 - left));
  return result;
}
