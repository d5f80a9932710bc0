import { encodePng as encode, type Plane, resizeBilinear, resizedSide } from "@cytomesh/microscopy";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits } from "../../schemas/convert.ts";
import type { Raster } from "./crop.ts";
import { takePlane } from "./spare-memory.ts";

// The rasters of this service as planes of the microscopy package, and back.

function planeOf(image: Raster): Plane {
  return { ...image, samples: 1, pixelType: "uint16", data: image.data as Plane["data"] };
}

/**
 * Resize as OpenCV does, bilinearly; the sampling step is `1 / factor`. The pixels lie in memory that is lent: see `giveBack`.
 */
export function resizeLinear(image: Raster, factor: number): Raster {
  const into = takePlane(resizedSide(image.width, factor) * resizedSide(image.height, factor));
  const { width, height, data } = resizeBilinear(planeOf(image), factor, into);
  return { width, height, data: data as Uint16Array };
}

/**
 * A field resized is held as the field is, under the same limit.
 *
 * @throws ImagingError `too-large`.
 */
export function checkResized(
  { uri, planes, limits }: { uri: string; planes: readonly Raster[]; limits: ReadLimits },
  factor: number,
): void {
  const [{ width, height }] = planes as [Raster];
  const [columns, rows] = [resizedSide(width, factor), resizedSide(height, factor)];
  const bytes = planes.length * columns * rows * 2;
  if (bytes > limits.maxFieldBytes)
    throw new ImagingError(
      "too-large",
      `${uri}: expected at most ${limits.maxFieldBytes} bytes of pixels after resizing by ${factor}, found ${bytes} (${rows} × ${columns}, ${planes.length} channel(s)); CYTOMESH_MAX_FIELD_BYTES sets the limit`,
    );
}

/** The rows or columns that OpenCV takes labels from when it resizes them: `floor(d / factor)`, without a half-pixel centre. */
export function sampledFrom(side: number, factor: number): Int32Array {
  const step = 1 / factor;
  const from = new Int32Array(resizedSide(side, factor));
  for (let i = 0; i < from.length; i++) from[i] = Math.min(Math.floor(i * step), side - 1);
  return from;
}

/**
 * A PNG of 8 or 16 bits; the pixel size, where it is known, is in `pHYs`.
 *
 * @param pixels `channels` samples per pixel, side by side.
 */
export function encodePng(
  pixels: Uint8Array | Uint16Array,
  o: { width: number; height: number; channels: 1 | 3; umPerPx?: number; level?: number },
): Uint8Array {
  const { width, height, channels: samples, umPerPx = 0, level } = o;
  return encode(
    {
      width,
      height,
      samples,
      pixelType: pixels instanceof Uint16Array ? "uint16" : "uint8",
      data: pixels as Plane["data"],
    },
    {
      ...(level === undefined ? {} : { level }),
      ...(umPerPx > 0 ? { pixelSizeUm: { x: umPerPx, y: umPerPx } } : {}),
    },
  );
}
