import { MicroscopyError } from "../errors.ts";
import type { PixelType } from "../pixels.ts";
import type { Photometric } from "../types.ts";
import { compressionName, isJpeg2000, isReadable, JPEG } from "./compressions.ts";
import { findEntry, type Ifd, type TiffFile, tagNumbers } from "./ifd.ts";

/** How the pixels of a page lie in its file. */
export interface PageLayout {
  readonly width: number;
  readonly height: number;
  readonly samples: number;
  readonly pixelType: PixelType;
  readonly bits: number;
  readonly format: "uint" | "int" | "float";
  readonly photometric: Photometric;
  readonly photometricTag: number;
  readonly compression: number;
  readonly predictor: number;
  /** Are the bits of a byte in reverse order? */
  readonly reversedBits: boolean;
  /** Is each sample in segments of its own? */
  readonly separate: boolean;
  readonly tiled: boolean;
  /** Pixels of a strip or tile. */
  readonly segmentWidth: number;
  readonly segmentHeight: number;
  readonly across: number;
  readonly down: number;
  readonly offsets: Float64Array;
  readonly byteCounts: Float64Array;
  readonly faxOptions: number;
  readonly orientation: number;
}

const photometrics: Readonly<Record<number, Photometric>> = {
  0: "white-is-zero",
  1: "grey",
  2: "rgb",
  3: "palette",
  4: "mask",
  5: "cmyk",
  6: "rgb",
  8: "lab",
  9: "lab",
  10: "lab",
  32844: "grey",
  34892: "grey",
};

/** @throws MicroscopyError `corrupt`, `unsupported`, `too-large`, `truncated`. */
export async function readLayout(
  file: TiffFile,
  ifd: Ifd,
  signal: AbortSignal | undefined,
): Promise<PageLayout> {
  const { uri, limits } = file;
  const where = `${uri}, page at ${ifd.offset}`;
  const numbers = (tag: number) => tagNumbers(file, ifd, tag, signal);
  const single = async (tag: number, otherwise: number) => (await numbers(tag))?.[0] ?? otherwise;

  const width = await single(256, 0);
  const height = await single(257, 0);
  if (!isCount(width) || !isCount(height))
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected a width and height of at least 1, found ${width} × ${height}`,
    );
  const samples = await single(277, 1);
  if (!isCount(samples)) throw new MicroscopyError("corrupt", `${where}: ${samples} samples per pixel`);
  if (samples > limits.maxSamples)
    throw new MicroscopyError(
      "too-large",
      `${where}: ${samples} samples per pixel, the limit is ${limits.maxSamples}`,
    );
  const bits = await sameBits(file, ifd, samples, where, signal);
  const format = await sampleFormat(file, ifd, bits, samples, where, signal);
  const compression = await single(259, 1);
  if (!isReadable(compression))
    throw new MicroscopyError(
      "unsupported",
      `${where}: compression ${compressionName(compression)} is not read here; save the image with deflate, LZW, zstd or none`,
    );
  const predictor = await single(317, 1);
  if (predictor !== 1 && predictor !== 2 && predictor !== 3)
    throw new MicroscopyError("unsupported", `${where}: predictor ${predictor} is not read here`);
  const photometricTag = await single(262, samples >= 3 ? 2 : 1);
  const planar = await single(284, 1);
  const separate = planar === 2 && samples > 1;
  if (photometricTag === 6 && compression !== JPEG && !(isJpeg2000(compression) && !separate))
    await refuseSubsampling(file, ifd, where, signal);

  const tileWidth = await single(322, 0);
  const tileHeight = await single(323, 0);
  const tiled = findEntry(file, ifd, 322) !== undefined || findEntry(file, ifd, 324) !== undefined;
  if (tiled && (!isCount(tileWidth) || !isCount(tileHeight)))
    throw new MicroscopyError("corrupt", `${where}: tiles of ${tileWidth} × ${tileHeight}`);
  const rowsPerStrip = await single(278, height);
  const segmentWidth = tiled ? tileWidth : width;
  const segmentHeight = tiled ? tileHeight : Math.min(height, isCount(rowsPerStrip) ? rowsPerStrip : height);
  const across = Math.ceil(width / segmentWidth);
  const down = Math.ceil(height / segmentHeight);
  const expected = across * down * (separate ? samples : 1);

  const offsets = await numbers(tiled && findEntry(file, ifd, 324) !== undefined ? 324 : 273);
  if (offsets === undefined || offsets.length < expected)
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected the places of ${expected} strips or tiles, found ${offsets?.length ?? 0}`,
    );
  const counts = await numbers(tiled && findEntry(file, ifd, 325) !== undefined ? 325 : 279);
  const layout = {
    width,
    height,
    samples,
    bits,
    format,
    compression,
    predictor,
    separate,
    tiled,
    segmentWidth,
    segmentHeight,
    across,
    down,
    offsets,
    photometricTag,
    pixelType: pixelTypeOf(format, bits),
    photometric: photometrics[photometricTag] ?? "other",
    reversedBits: (await single(266, 1)) === 2,
    faxOptions: await single(compression === 4 ? 293 : 292, 0),
    orientation: await single(274, 1),
  };
  return { ...layout, byteCounts: countsOf(layout, counts, file.size) };
}

/** Bytes of a stored row of a segment, in front of compression. */
export function packedRowBytes(
  layout: Pick<PageLayout, "segmentWidth" | "separate" | "samples" | "bits">,
): number {
  const { segmentWidth, separate, samples, bits } = layout;
  return Math.ceil((segmentWidth * (separate ? 1 : samples) * bits) / 8);
}

/** Rows that a segment holds: tiles are always whole, the last strip ends with the image. */
export function segmentRows(layout: PageLayout, row: number): number {
  return layout.tiled
    ? layout.segmentHeight
    : Math.min(layout.segmentHeight, layout.height - row * layout.segmentHeight);
}

/** Missing byte counts, or zeros of old writers: uncompressed segments are as long as they must be, others at most up to the end. */
function countsOf(
  layout: Omit<PageLayout, "byteCounts">,
  counts: Float64Array | undefined,
  fileSize: number,
): Float64Array {
  const { offsets, compression } = layout;
  if (counts !== undefined && counts.length >= offsets.length && (counts[0] !== 0 || offsets[0] === 0))
    return counts;
  const whole = packedRowBytes(layout) * layout.segmentHeight;
  return offsets.map((offset, i) => {
    const given = counts?.[i];
    if (given !== undefined && given > 0) return given;
    const left = Math.max(0, fileSize - offset);
    if (compression !== 1) return left;
    const rows = Math.floor((i % (layout.across * layout.down)) / layout.across);
    const last = layout.tiled
      ? layout.segmentHeight
      : Math.min(layout.segmentHeight, layout.height - rows * layout.segmentHeight);
    return Math.min(left, last === layout.segmentHeight ? whole : packedRowBytes(layout) * last);
  });
}

async function sameBits(
  file: TiffFile,
  ifd: Ifd,
  samples: number,
  where: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const all = await tagNumbers(file, ifd, 258, signal);
  const bits = all?.[0] ?? 1;
  // Writers forget the entries of extra samples; of those that are there all must be equal.
  const different = all?.subarray(0, samples).find((other) => other !== bits);
  if (different !== undefined)
    throw new MicroscopyError(
      "unsupported",
      `${where}: samples of different depth (${bits} and ${different} bits) are not read here`,
    );
  return bits;
}

async function sampleFormat(
  file: TiffFile,
  ifd: Ifd,
  bits: number,
  samples: number,
  where: string,
  signal: AbortSignal | undefined,
): Promise<"uint" | "int" | "float"> {
  const all = (await tagNumbers(file, ifd, 339, signal))?.subarray(0, samples);
  const code = all?.[0] ?? 1;
  if (all?.some((other) => other !== code))
    throw new MicroscopyError("unsupported", `${where}: samples of different formats are not read here`);
  const format = code === 2 ? "int" : code === 3 ? "float" : code === 1 || code === 4 ? "uint" : undefined;
  const fits =
    format === "float"
      ? bits === 16 || bits === 24 || bits === 32 || bits === 64
      : format !== undefined && Number.isInteger(bits) && ((bits >= 1 && bits <= 32) || bits === 64);
  if (format === undefined || !fits) {
    const name = code >= 5 ? "complex numbers" : `format ${code}`;
    throw new MicroscopyError(
      "unsupported",
      `${where}: samples of ${bits} bits (${format ?? name}) are not read here`,
    );
  }
  return format;
}

async function refuseSubsampling(
  file: TiffFile,
  ifd: Ifd,
  where: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [h, v] = (await tagNumbers(file, ifd, 530, signal)) ?? [2, 2];
  throw new MicroscopyError(
    "unsupported",
    `${where}: YCbCr (subsampling ${h} × ${v}) is read only with JPEG and JPEG 2000 compression; save the image as RGB`,
  );
}

function pixelTypeOf(format: "uint" | "int" | "float", bits: number): PixelType {
  if (format === "float") return bits === 64 ? "float64" : "float32";
  return `${format}${bits <= 8 ? 8 : bits <= 16 ? 16 : bits <= 32 ? 32 : 64}`;
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 1 && value < 2 ** 32;
}
