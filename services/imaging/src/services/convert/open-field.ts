import { createHash } from "node:crypto";
import {
  createMaxProjection,
  MicroscopyError,
  type MicroscopyImage,
  openImage,
  openImageBytes,
  type Plane,
  presentable,
  presentableSamples,
  type SeriesInfo,
} from "@cytomesh/microscopy";
import { type ObjectStore, sha256Hex, sha256Of } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits } from "../../schemas/convert.ts";
import type { Raster } from "./crop.ts";
import { giveBack, takeBytes, takePlane } from "./spare-memory.ts";

/** Files up to this size are fetched whole, with one request, and hashed as they are decoded; larger ones are read plane by plane. */
const wholeBelowBytes = 128 * 1024 * 1024;

/** A file whose channels can be read as planes of 16 bits. */
export interface FieldImage extends AsyncDisposable {
  readonly uri: string;
  /** Of the file; of an OME-Zarr image that of its list of objects with their sizes. */
  readonly sha256: string;
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
 * Open the first image of a file. Channels are those of the file; where it does not say what its pages are, every page is one; the samples of
 * a colour pixel are channels too.
 *
 * @throws ImagingError `too-large`, `wrong-axes`, `file-changed`; `channel` also `no-such-channel`, `unsupported-pixels`. MicroscopyError,
 *   errors of the store.
 */
export async function openFieldImage(
  store: ObjectStore,
  uri: string,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<FieldImage> {
  const { image, series, sha256 } = await openWithHash(store, uri, limits, signal);
  try {
    return fieldOf(image, series, uri, sha256, limits, signal);
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * An image, its first series, and the SHA-256 of its file.
 *
 * @throws ImagingError `wrong-axes`, `file-changed`; MicroscopyError, also `truncated`; errors of the store.
 */
export async function openWithHash(
  store: ObjectStore,
  uri: string,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<{ image: MicroscopyImage; series: SeriesInfo; sha256: string }> {
  const { image, sha256 } = await openAndHash(store, uri, limits, signal);
  const series = image.info.series[0];
  // Fewer planes than there were would be projected, or taken for all channels.
  const cut = image.info.cutOff;
  if (series !== undefined && cut === undefined) return { image, series, sha256 };
  await image[Symbol.asyncDispose]();
  if (cut === undefined)
    throw new ImagingError("wrong-axes", `${uri}: expected an image, found none in the file`);
  throw new MicroscopyError("truncated", `${uri}: expected the whole file, found that ${cut}`);
}

async function openAndHash(store: ObjectStore, uri: string, limits: ReadLimits, signal: AbortSignal) {
  const options = {
    signal,
    limits: { maxPlaneBytes: limits.maxPixels * 8 * 4, maxSamples: limits.maxChannels },
  };
  const head = await store.head(uri, { signal });
  if (head === undefined) {
    const image = await openImage(uri, { ...options, store });
    return { image, sha256: await hashOfFolder(store, uri, signal) };
  }
  if (head.size <= wholeBelowBytes) {
    const bytes = (await store.get(uri, { signal, room: takeBytes })) as Uint8Array<ArrayBuffer>;
    const sha256 = sha256Hex(bytes);
    const image = await openAlone(bytes, uri, options);
    // An image of several files needs the others too; the bytes of this one are hashed all the same.
    if (image !== undefined && !image.info.needsOtherFiles)
      return { image: givingBack(image, bytes), sha256 };
    await image?.[Symbol.asyncDispose]();
    return { image: await openImage(uri, { ...options, store }), sha256 };
  }
  const sha256 = await sha256Of(store, uri, { signal });
  const image = await openImage(uri, { ...options, store });
  if ((await store.head(uri, { signal }))?.etag !== head.etag) {
    await image[Symbol.asyncDispose]();
    throw new ImagingError(
      "file-changed",
      `${uri} changed while it was read; convert it again once it is complete`,
    );
  }
  return { image, sha256 };
}

/** The image, whose file's bytes serve others once it is disposed of: planes are copies. */
function givingBack(image: MicroscopyImage, bytes: Uint8Array<ArrayBuffer>): MicroscopyImage {
  return {
    info: image.info,
    plane: image.plane,
    async [Symbol.asyncDispose]() {
      await image[Symbol.asyncDispose]();
      giveBack(bytes);
    },
  };
}

/** Undefined for what only points to the files with the pixels. */
async function openAlone(
  bytes: Uint8Array<ArrayBuffer>,
  uri: string,
  options: Parameters<typeof openImageBytes>[2],
): Promise<MicroscopyImage | undefined> {
  try {
    return await openImageBytes(bytes, uri, options);
  } catch (error) {
    if (error instanceof MicroscopyError && error.tag === "missing-file") return undefined;
    throw error;
  }
}

/** The SHA-256 that `openFieldImage` finds, without reading the image. */
export async function hashOfSource(store: ObjectStore, uri: string, signal: AbortSignal): Promise<string> {
  const head = await store.head(uri, { signal });
  return head === undefined ? hashOfFolder(store, uri, signal) : sha256Of(store, uri, { signal });
}

async function hashOfFolder(store: ObjectStore, uri: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const root = `${uri.replace(/\/+$/, "")}/`;
  for await (const object of store.list(root, { signal }))
    hash.update(`${object.uri.slice(root.length)} ${object.size}\n`);
  return hash.digest("hex");
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
