import { type CropPngEncoder, createCropPngEncoder, type PngChannels } from "@cytomesh/microscopy";
import { type CropWindow, crop, type Raster } from "./crop.ts";
import { applyMask } from "./masks.ts";
import { encodePng } from "./pixel-ops.ts";

/** The pixels of an image to be written; cut out only for those who look at them. */
export interface CropPixels {
  /** Number of channels. */
  readonly count: number;
  /** Every channel, row by row. */
  channels(): readonly Uint16Array[];
  /** The same where it is already: images, and the window of them. */
  source(): { readonly planes: readonly Raster[]; readonly window: CropWindow };
  /**
   * A PNG of 16 bits: of one channel in grey, or of the first three in blue, green, red, as OpenCV writes them; what is not there is black.
   * The bytes last until the next PNG of this thread is made: copy or write them at once.
   */
  png(what: { grey: number } | "combined", umPerPx: number, level: number): Uint8Array;
}

/** Planes beyond this are not copied for the encoder: their crops are cut out one by one. */
const encodedBelowBytes = 2 ** 29;

/** Sides up to which the encoder takes an image. */
const encodedUpTo = 16_384;

/** The PNG encoder over an image that crops are cut from, at `windows`; undefined where it would take too much memory. */
export function encoderOver(
  planes: readonly Raster[],
  windows: readonly CropWindow[],
): CropPngEncoder | undefined {
  const bytes = planes.reduce((sum, { data }) => sum + data.byteLength, 0);
  if (bytes > encodedBelowBytes) return undefined;
  return createCropPngEncoder(planes.map(sourceOf), windows.map(squareOf));
}

function squareOf({ top, left, size }: CropWindow) {
  return { top, left, width: size, height: size };
}

/**
 * The pixels of a window.
 *
 * @param encoder over the same planes, if there is one.
 * @param kept 1 where the crop stays; undefined: everywhere.
 */
export function cutPixels(
  planes: readonly Raster[],
  window: CropWindow,
  encoder: CropPngEncoder | undefined,
  kept?: Uint8Array,
): CropPixels {
  const { size } = window;
  let cut: Uint16Array[] | undefined;
  const channels = () => {
    cut ??= planes.map((plane) => applyMask(crop(plane, window), kept));
    return cut;
  };
  const count = planes.length;
  return {
    count,
    channels,
    source: () => (kept === undefined ? { planes, window } : wholeOf(channels(), size, size)),
    png(what, umPerPx, level) {
      if (encoder === undefined || kept !== undefined || level > 1)
        return pixelsOf(channels(), size, size).png(what, umPerPx, level);
      return encoder.encode(squareOf(window), channelsOf(what, count), micrometres(umPerPx));
    },
  };
}

/** Pixels that are there as they will be written. */
export function pixelsOf(channels: readonly Uint16Array[], width: number, height: number): CropPixels {
  const count = channels.length;
  return {
    count,
    channels: () => channels,
    source: () => wholeOf(channels, width, height),
    png(what, umPerPx, level) {
      if (level > 1 || width > encodedUpTo) {
        const size = { width, height, umPerPx, level };
        return what === "combined"
          ? encodePng(interleaved(channels), { ...size, channels: 3 })
          : encodePng(channels[what.grey] as Uint16Array, { ...size, channels: 1 });
      }
      using encoder = createCropPngEncoder(channels.map((data) => sourceOf({ width, height, data })));
      return encoder.encode(
        { top: 0, left: 0, width, height },
        channelsOf(what, count),
        micrometres(umPerPx),
      );
    },
  };
}

function wholeOf(channels: readonly Uint16Array[], width: number, height: number) {
  const planes = channels.map((data) => ({ width, height, data }));
  return { planes, window: { top: 0, left: 0, size: Math.max(width, height) } };
}

function sourceOf({ width, height, data }: Raster) {
  return { width, height, data: data as Uint16Array<ArrayBuffer> };
}

function channelsOf(what: { grey: number } | "combined", count: number): PngChannels {
  if (what !== "combined") return what;
  return { blue: 0, green: count > 1 ? 1 : undefined, red: count > 2 ? 2 : undefined };
}

function micrometres(umPerPx: number) {
  return umPerPx > 0 ? { pixelSizeUm: { x: umPerPx, y: umPerPx } } : {};
}

/** Channels as the samples of an RGB image, first channel blue. */
function interleaved(channels: readonly Uint16Array[]): Uint16Array {
  const count = (channels[0] as Uint16Array).length;
  const rgb = new Uint16Array(count * 3);
  for (const [c, pixels] of channels.slice(0, 3).entries())
    for (let i = 0, k = 2 - c; i < count; i++, k += 3) rgb[k] = pixels[i] as number;
  return rgb;
}
