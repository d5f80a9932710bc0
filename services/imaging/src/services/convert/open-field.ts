import {
  createMaxProjection,
  type MicroscopyImage,
  type Plane,
  presentable,
  presentableSamples,
  type SeriesInfo,
} from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits, SourceFile } from "../../schemas/convert.ts";
import type { FieldSource } from "../inputs/fields.ts";
import type { Raster } from "./crop.ts";
import { openWithHash } from "./open-hashed.ts";
import { openJoined } from "./open-joined.ts";
import { takePlane } from "./spare-memory.ts";

/** A file whose channels can be read as planes of 16 bits. */
export interface FieldImage extends AsyncDisposable {
  readonly uri: string;
  /** Of the file; of an OME-Zarr image that of its list of objects with their sizes. */
  readonly sha256: string;
  /** The files of a field that lies in several. */
  readonly sources?: readonly SourceFile[];
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  /** As the file names them; empty where it does not. */
  readonly channelNames: readonly string[];
  /** Side of a pixel in µm, 0 where the file does not say, or where pixels are not square. */
  readonly umPerPx: number;
  /** Largest value of the pixels as stored: of their type, or of the bits of it that are used. */
  readonly maxValue: number;
  readonly warnings: readonly string[];
  /** A channel, its planes projected, in memory that is lent: see `giveBack`. */
  channel(index: number, projection: "max" | "middle"): Promise<Raster>;
}

/**
 * Open the first image of a file, or the files of a field as one image. Channels are those of the file; where it does not say what its pages
 * are, every page is one; the samples of a colour pixel are channels too.
 *
 * @throws ImagingError `too-large`, `wrong-axes`, `file-changed`, and as `openJoined`; `channel` also `no-such-channel`,
 *   `unsupported-pixels`. MicroscopyError, errors of the store.
 */
export async function openFieldImage(
  store: ObjectStore,
  source: FieldSource,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<FieldImage> {
  const { uri } = source;
  const { image, series, sha256, sources } =
    source.channels === undefined
      ? { ...(await openWithHash(store, uri, limits, signal)), sources: undefined }
      : await openJoined(store, source, limits, signal);
  try {
    return { ...fieldOf(image, series, uri, sha256, limits, signal), ...(sources && { sources }) };
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

function fieldOf(
  image: MicroscopyImage,
  series: SeriesInfo,
  uri: string,
  sha256: string,
  limits: ReadLimits,
  signal: AbortSignal,
): FieldImage {
  const { t, c, z, y, x } = series.sizes;
  const samples = presentableSamples(series);
  // Pages that a file does not explain come as time points.
  const unnamed = t > 1 && c === 1 && z === 1 && !series.axes.includes("T");
  if (t > 1 && !unnamed)
    throw new ImagingError(
      "wrong-axes",
      `${uri}: expected one time point, found ${t} (axes ${series.axes}); convert one time point at a time`,
    );
  const pages = unnamed ? t : c;
  const channels = pages * samples;
  const tooMany = channels > limits.maxChannels;
  if (tooMany || x * y > limits.maxPixels)
    throw new ImagingError(
      "too-large",
      `${uri}: expected at most ${limits.maxPixels} pixels and ${limits.maxChannels} channels, found ${y} × ${x} and ${channels}; CYTOMESH_MAX_FIELD_PIXELS and CYTOMESH_MAX_FIELD_CHANNELS set the limits`,
    );
  // The samples of one page are cut out of one decoding.
  let last: { key: string; plane: Plane } | undefined;
  const asStored = series.pixelType === "uint16" && series.sizes.samples === 1;
  const page = async (index: number, depth: number, into: Uint16Array<ArrayBuffer>): Promise<Plane> => {
    const key = `${index}/${depth}`;
    if (samples > 1 && last?.key === key) return last.plane;
    const stored = await image.plane(unnamed ? { t: index, z: depth } : { c: index, z: depth }, {
      signal,
      into: asStored ? into : undefined,
    });
    const plane = presentable(stored, series);
    if (samples > 1) last = { key, plane };
    return plane;
  };
  const { umPerPx, notSquare } = sideOf(series, uri);
  return {
    uri,
    sha256,
    width: x,
    height: y,
    channels,
    channelNames: samples > 1 ? [] : namesOf(series),
    umPerPx,
    maxValue: samples === series.sizes.samples ? maxValueOf(series) : 255,
    warnings: [...image.info.warnings, ...notSquare],
    async channel(index, projection) {
      if (index >= channels)
        throw new ImagingError(
          "no-such-channel",
          `${uri}: channel ${index} is asked for, but the file has ${channels}, counted from 0 (axes ${series.axes})`,
        );
      const [first, sample] = [Math.floor(index / samples), index % samples];
      const read = async (depth: number, into: Uint16Array<ArrayBuffer>) =>
        inSixteenBits(await page(first, depth, into), sample, into, `${uri}, channel ${index}`);
      const data = takePlane(x * y);
      if (projection === "middle" || z === 1) await read(z === 1 ? 0 : Math.floor((z - 1) / 2), data);
      else {
        const maximum = createMaxProjection();
        for (let depth = 0; depth < z; depth++) {
          signal.throwIfAborted();
          const plane = (maximum.room() as typeof data | undefined) ?? data;
          await read(depth, plane);
          maximum.add({ width: x, height: y, samples: 1, pixelType: "uint16", data: plane });
        }
        maximum.result(data);
      }
      return { width: x, height: y, data };
    },
    [Symbol.asyncDispose]: () => image[Symbol.asyncDispose](),
  };
}

/** As the file has them; those that it leaves out by their numbers. */
function namesOf(series: SeriesInfo): string[] {
  return series.channels.map(({ name }, c) => name || `c${c}`);
}

/** Sizes of a pixel that differ by less were rounded. */
const squareWithin = 0.001;

/** Areas and crops have one pixel size: where a file gives two, none is taken, and that is said. */
function sideOf({ pixelSizeUm }: SeriesInfo, uri: string): { umPerPx: number; notSquare: string[] } {
  if (pixelSizeUm === undefined) return { umPerPx: 0, notSquare: [] };
  const { x, y } = pixelSizeUm;
  if (Math.abs(x - y) <= squareWithin * x) return { umPerPx: x, notSquare: [] };
  return {
    umPerPx: 0,
    notSquare: [
      `${uri}: pixels are ${x} × ${y} µm; sizes in µm need square ones, so the pixel size counts as not known`,
    ],
  };
}

/** 65,535 where values may be larger: those are refused when they are read. */
function maxValueOf({ pixelType, bitsPerSample, significantBits }: SeriesInfo): number {
  if (pixelType.startsWith("float")) return 65_535;
  const bits = (significantBits ?? bitsPerSample) - (pixelType.startsWith("int") ? 1 : 0);
  return 2 ** Math.min(16, bits) - 1;
}

/** Puts a sample of a plane into `result`. @throws ImagingError `unsupported-pixels` when a value is not a whole number from 0 to 65535. */
function inSixteenBits(plane: Plane, sample: number, result: Uint16Array, where: string): void {
  const { data, samples, pixelType } = plane;
  if (data === result) return;
  if (data instanceof Uint16Array && samples === 1) {
    result.set(data);
    return;
  }
  const count = plane.width * plane.height;
  let fits = true;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array)
    for (let i = 0, k = sample; i < count; i++, k += samples) {
      const value = Number(data[k]);
      result[i] = value;
      fits &&= result[i] === value;
    }
  else
    for (let i = 0, k = sample; i < count; i++, k += samples) {
      const value = data[k] as number;
      result[i] = value;
      fits &&= result[i] === value;
    }
  if (!fits)
    throw new ImagingError(
      "unsupported-pixels",
      `${where}: expected whole numbers from 0 to 65535, found ${pixelType} pixels outside; scale the file to uint16 first`,
    );
}
