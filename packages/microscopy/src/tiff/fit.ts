/** Pixels of a strip or tile that lie within the image. */
export interface Visible {
  readonly width: number;
  readonly height: number;
}

/**
 * Decoded rows → those of a segment: what is beyond it is cut off, what is missing, which lies outside the image, is zeros. Pixels have
 * `pixelBytes`.
 */
export function fitSegment(
  from: { readonly data: Uint8Array<ArrayBuffer>; readonly width: number; readonly height: number },
  pixelBytes: number,
  width: number,
  height: number,
): Uint8Array<ArrayBuffer> {
  if (from.width === width && from.height === height) return from.data;
  const fitted = new Uint8Array(width * height * pixelBytes);
  const rowBytes = Math.min(width, from.width) * pixelBytes;
  for (let y = 0; y < Math.min(height, from.height); y++) {
    const at = y * from.width * pixelBytes;
    fitted.set(from.data.subarray(at, at + rowBytes), y * width * pixelBytes);
  }
  return fitted;
}

/** May decoded pixels stand for a segment? They cover what is in the image, and are not far bigger than the segment. */
export function fits(
  found: Visible,
  visible: Visible,
  segment: { readonly segmentWidth: number; readonly segmentHeight: number },
): boolean {
  return (
    found.width >= visible.width &&
    found.height >= visible.height &&
    found.width <= segment.segmentWidth + 64 &&
    found.height <= segment.segmentHeight + 64
  );
}
