/** A square cut out of an image; it may reach over the edges. */
export interface CropWindow {
  readonly top: number;
  readonly left: number;
  readonly size: number;
}

/** An image of whole numbers, row by row. */
export interface Raster<P extends Uint8Array | Uint16Array | Int32Array = Uint16Array> {
  readonly width: number;
  readonly height: number;
  readonly data: P;
}

/**
 * The square of `size` pixels around a centroid, truncated: its pixel lands on row and column `floor(size / 2)` of the crop, as in the
 * published converter.
 */
export function cropWindow(centroid: { centroidY: number; centroidX: number }, size: number): CropWindow {
  const half = Math.floor(size / 2);
  return { top: Math.trunc(centroid.centroidY) - half, left: Math.trunc(centroid.centroidX) - half, size };
}

/** The part of a window inside the image, in coordinates of the image; empty when `right <= left` or `bottom <= top`. */
export function insideOf(window: CropWindow, width: number, height: number) {
  const { top, left, size } = window;
  return {
    top: Math.max(0, top),
    left: Math.max(0, left),
    bottom: Math.min(height, top + size),
    right: Math.min(width, left + size),
  };
}

/** Share of a window that lies outside the image, where crops are zero. */
export function paddedFraction(window: CropWindow, width: number, height: number): number {
  const { top, left, bottom, right } = insideOf(window, width, height);
  const inside = Math.max(0, bottom - top) * Math.max(0, right - left);
  return 1 - inside / (window.size * window.size);
}

/** The pixels of a window, `size` × `size`; zero where there is no image. */
export function crop<P extends Uint8Array | Uint16Array | Int32Array>(
  image: Raster<P>,
  window: CropWindow,
): P {
  const { size } = window;
  const { data, width } = image;
  const result = new (data.constructor as new (length: number) => P)(size * size);
  const { top, left, bottom, right } = insideOf(window, width, image.height);
  if (left >= right) return result;
  for (let y = top; y < bottom; y++)
    result.set(
      data.subarray(y * width + left, y * width + right),
      (y - window.top) * size + (left - window.left),
    );
  return result;
}

/**
 * The middle of an image in the centre of a `size` × `size` square of zeros, as the AllenCell converter cuts it: an odd side loses its last
 * row or column.
 */
export function centreCrop(image: Raster, size: number): Uint16Array {
  const half = Math.floor(size / 2);
  const { width, height, data } = image;
  const [middleY, middleX] = [Math.floor(height / 2), Math.floor(width / 2)];
  const [halfY, halfX] = [Math.min(half, middleY), Math.min(half, middleX)];
  const result = new Uint16Array(size * size);
  for (let dy = -halfY; dy < halfY; dy++) {
    const from = (middleY + dy) * width + middleX;
    result.set(data.subarray(from - halfX, from + halfX), (half + dy) * size + half - halfX);
  }
  return result;
}
