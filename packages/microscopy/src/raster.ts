import { MicroscopyError } from "./errors.ts";
import { openBytes, type RawPixels } from "./libvips.ts";
import { type PixelArray, pixelsFrom, pixelsInto } from "./pixels.ts";
import { regionOf, resolveRequest } from "./request.ts";
import { frameOf } from "./tiff/jpeg.ts";
import type {
  ByteSource,
  ImageInfo,
  MicroscopyImage,
  PixelSizeUm,
  Plane,
  ReadLimits,
  Region,
  SeriesInfo,
} from "./types.ts";

/** What the header of a PNG or JPEG says. */
interface RasterHeader {
  readonly format: "png" | "jpeg";
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly pixelType: "uint8" | "uint16";
  readonly bits: number;
  readonly pixelSizeUm?: PixelSizeUm;
}

/**
 * A PNG (8 and 16 bits, exact; palettes applied) or JPEG, decoded whole on the first use. Undefined when the source is neither.
 */
export async function openRaster(
  source: ByteSource,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<MicroscopyImage | undefined> {
  const start = await source.read(0, Math.min(source.size, 12), signal);
  const isPng =
    start.length === 12 && Buffer.from(start.buffer, 0, 8).equals(Buffer.from("89504e470d0a1a0a", "hex"));
  const isJpeg = start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff;
  if (!isPng && !isJpeg) return undefined;
  if (source.size > limits.maxFileBytes)
    throw new MicroscopyError(
      "too-large",
      `${source.uri}: ${source.size} bytes, the limit is ${limits.maxFileBytes}`,
    );
  const bytes = await source.read(0, source.size, signal);
  const header = isPng ? pngHeader(bytes, source.uri) : jpegHeader(bytes, source.uri);
  const { width, height, samples, pixelType } = header;
  if (width * height * samples * 2 > limits.maxPlaneBytes)
    throw new MicroscopyError(
      "too-large",
      `${source.uri}: ${width} × ${height} × ${samples} samples, the limit is ${limits.maxPlaneBytes} bytes`,
    );
  const series: SeriesInfo = {
    index: 0,
    pixelType,
    bitsPerSample: header.bits,
    photometric: samples >= 3 ? "rgb" : "grey",
    sizes: { t: 1, c: 1, z: 1, y: height, x: width, samples },
    axes: samples > 1 ? "YXS" : "YX",
    channels: [{}],
    ...(header.pixelSizeUm !== undefined && { pixelSizeUm: header.pixelSizeUm, pixelSizeFrom: "png" }),
    levels: [{ width, height }],
  };
  const info: ImageInfo = {
    uri: source.uri,
    format: header.format,
    series: [series],
    needsOtherFiles: false,
    warnings: [],
  };
  let decoded: Promise<RawPixels> | undefined;
  return {
    info,
    async plane(request = {}, options = {}) {
      const region = regionOf(resolveRequest(info, request), { width, height }, source.uri);
      options.signal?.throwIfAborted();
      decoded ??= decode(bytes, header, source.uri);
      return cut(await decoded, header, region, options.into);
    },
    [Symbol.asyncDispose]: async () => {
      decoded = undefined;
    },
  };
}

async function decode(bytes: Uint8Array<ArrayBuffer>, header: RasterHeader, uri: string): Promise<RawPixels> {
  const { samples, pixelType, width, height } = header;
  const wide = pixelType === "uint16";
  try {
    const { data, info } = await openBytes(bytes, width * height)
      .toColourspace(samples >= 3 ? (wide ? "rgb16" : "srgb") : wide ? "grey16" : "b-w")
      .raw({ depth: wide ? "ushort" : "uchar" })
      .toBuffer({ resolveWithObject: true });
    if (info.width !== width || info.height !== height || info.channels !== samples)
      throw new MicroscopyError(
        "unsupported",
        `${uri}: expected ${width} × ${height} × ${samples} samples by its header, decoded ${info.width} × ${info.height} × ${info.channels}`,
      );
    return { data: data as Uint8Array<ArrayBuffer>, width, height, channels: samples };
  } catch (error) {
    if (error instanceof MicroscopyError) throw error;
    throw new MicroscopyError("corrupt", `${uri}: ${(error as Error).message}`, { cause: error });
  }
}

function cut(pixels: RawPixels, header: RasterHeader, region: Region, into: PixelArray | undefined): Plane {
  const { samples, pixelType, width } = header;
  const all = pixelsFrom(pixelType, pixels.data);
  const shape = { width: region.width, height: region.height, samples, pixelType };
  const data = pixelsInto(
    into,
    pixelType,
    region.width * region.height * samples,
  ) as Uint16Array<ArrayBuffer>;
  for (let y = 0; y < region.height; y++) {
    const from = ((region.y + y) * width + region.x) * samples;
    data.set((all as Uint16Array).subarray(from, from + region.width * samples), y * region.width * samples);
  }
  return { ...shape, data };
}

/** Samples that libvips gives for the colour types of PNG; transparency of grey and RGB (tRNS) becomes alpha. */
function pngHeader(bytes: Uint8Array<ArrayBuffer>, uri: string): RasterHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 33 || view.getUint32(12) !== 0x49484452)
    throw new MicroscopyError("truncated", `${uri}: a PNG without a header`);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [bits, color] = [bytes[24]!, bytes[25]!];
  if (width < 1 || height < 1)
    throw new MicroscopyError("corrupt", `${uri}: a PNG of ${width} × ${height} pixels`);
  let transparent = false;
  let pixelSizeUm: PixelSizeUm | undefined;
  for (let at = 8; at + 12 <= bytes.length; at += 12 + view.getUint32(at)) {
    const type = view.getUint32(at + 4);
    if (type === 0x49444154) break;
    if (type === 0x74524e53) transparent = true;
    if (type === 0x70485973 && at + 17 <= bytes.length && bytes[at + 16] === 1) {
      const [x, y] = [view.getUint32(at + 8), view.getUint32(at + 12)];
      // Metres are also how a resolution for printing is written: below 100 µm and above 50 nm it may be a microscope's.
      if (x > 20_000 && y > 20_000) pixelSizeUm = { x: 1e6 / x, y: 1e6 / y };
    }
  }
  const base = color === 0 ? 1 : color === 2 ? 3 : color === 3 ? 3 : color === 4 ? 2 : color === 6 ? 4 : 0;
  if (base === 0) throw new MicroscopyError("corrupt", `${uri}: PNG colour type ${color}`);
  const samples = base + (transparent && (color === 0 || color === 2 || color === 3) ? 1 : 0);
  return {
    format: "png",
    width,
    height,
    samples,
    pixelType: bits === 16 ? "uint16" : "uint8",
    bits: color === 3 ? 8 : Math.max(8, bits),
    ...(pixelSizeUm !== undefined && { pixelSizeUm }),
  };
}

function jpegHeader(bytes: Uint8Array<ArrayBuffer>, uri: string): RasterHeader {
  const { width, height, components, bits } = frameOf(bytes, uri);
  if (bits !== 8 || (components !== 1 && components !== 3))
    throw new MicroscopyError("unsupported", `${uri}: JPEG of ${components} components of ${bits} bits`);
  return { format: "jpeg", width, height, samples: components, pixelType: "uint8", bits: 8 };
}
