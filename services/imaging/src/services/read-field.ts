import type { Metadata } from "sharp";
import { ImagingError } from "../errors.ts";
import type { ReadLimits } from "../schemas/convert.ts";
import { openPage } from "./decoder.ts";
import { sniffFile } from "./sniff.ts";
import { readTiffPages, tiffProblem } from "./tiff-tags.ts";

/** A local image file, and what it is called in messages. */
export interface FieldFile {
  readonly path: string;
  readonly name: string;
  readonly limits: ReadLimits;
}

/** What an image file holds, as it is decoded: a palette counts as its colours, a SubIFD pyramid as its full level. */
export interface FieldReport {
  readonly width: number;
  readonly height: number;
  readonly pages: number;
  /** Samples per pixel. */
  readonly samples: number;
  /** `uint8`, `uint16`, `int16`, `float32` and so on. */
  readonly pixelType: string;
  /** `tiff`, `png` or `jpeg`. */
  readonly format: string;
}

/** libvips' names of pixel types. */
const pixelTypes: Readonly<Record<string, string>> = {
  uchar: "uint8",
  char: "int8",
  ushort: "uint16",
  short: "int16",
  uint: "uint32",
  int: "int32",
  float: "float32",
  double: "float64",
  complex: "complex64",
  dpcomplex: "complex128",
};

/**
 * Describe a file. A pixel is decoded too: libvips describes files whose compression it cannot undo.
 *
 * @throws ImagingError `unreadable-image`, `too-large`.
 */
export async function describeField(file: FieldFile): Promise<FieldReport> {
  const meta = await pageMetadata(file, 0);
  await vetTiff(file, 1);
  await decode(file, 0, async () => {
    await openPage(file.path, 0, file.limits)
      .extract({ left: 0, top: 0, width: 1, height: 1 })
      .raw()
      .toBuffer();
  });
  return reportOf(meta);
}

function reportOf(meta: Metadata): FieldReport {
  return {
    width: meta.width,
    height: meta.height,
    pages: meta.pages ?? 1,
    samples: meta.channels,
    pixelType: pixelTypes[meta.depth] ?? meta.depth,
    format: meta.format,
  };
}

/** A file whose channels can be read one at a time. */
export interface OpenField {
  readonly width: number;
  readonly height: number;
  /** Pages times samples: channel `page * samples + sample`. */
  readonly channels: number;
  /** The pixels of a channel, row by row, as stored: 8-bit values stay 0 to 255. */
  channel(index: number): Promise<Uint16Array>;
}

/**
 * Open a field of 8-bit or 16-bit unsigned pixels. One page is in memory at a time.
 *
 * @throws ImagingError `unreadable-image`, `too-large`, `unsupported-pixels`; `channel` also `no-such-channel` and `pages-differ`.
 */
export async function openField(file: FieldFile): Promise<OpenField> {
  const { width, height, pages, samples } = reportOf(supported(file, 0, await pageMetadata(file, 0)));
  const channels = pages * samples;
  if (channels > file.limits.maxChannels)
    throw new ImagingError(
      "too-large",
      `${file.name}: expected at most ${file.limits.maxChannels} channels, found ${pages} page(s) of ${samples} sample(s); CYTOMESH_MAX_FIELD_CHANNELS sets the limit`,
    );
  await vetTiff(file, pages);
  return {
    width,
    height,
    channels,
    async channel(index) {
      if (index >= channels)
        throw new ImagingError(
          "no-such-channel",
          `${file.name}: channel ${index} is asked for, but the file has ${channels} (${pages} page(s) of ${samples} sample(s)), counted from 0`,
        );
      const page = Math.floor(index / samples);
      const meta = supported(file, page, await pageMetadata(file, page));
      if (meta.width !== width || meta.height !== height || meta.channels !== samples)
        throw new ImagingError(
          "pages-differ",
          `${file.name}: page 0 is ${width} × ${height} × ${samples}, page ${page} is ${meta.width} × ${meta.height} × ${meta.channels}; the pages of a field must have one size`,
        );
      return decode(file, page, () => readSample(file, page, index % samples, meta));
    },
  };
}

const readableDepths = new Set(["uchar", "ushort"]);
const readableSpaces = new Set(["b-w", "grey16", "srgb", "rgb16"]);

function supported(file: FieldFile, page: number, meta: Metadata): Metadata {
  if (readableDepths.has(meta.depth) && readableSpaces.has(meta.space)) return meta;
  throw new ImagingError(
    "unsupported-pixels",
    `${file.name}: expected grey or RGB pixels of type uint8 or uint16, found ${pixelTypes[meta.depth] ?? meta.depth} (${meta.space}) on page ${page}; convert the file to uint16 first`,
  );
}

/**
 * One sample of every pixel of a page. libvips converts colours unless it is told the space the pixels are in already; grey files of
 * several samples stay whole only when the sample is cut out.
 */
async function readSample(
  file: FieldFile,
  page: number,
  sample: number,
  meta: Metadata,
): Promise<Uint16Array> {
  const colour = meta.space === "srgb" || meta.space === "rgb16";
  const image = openPage(file.path, page, file.limits);
  // The type of sharp knows four samples, libvips any number.
  const picked = colour ? image : image.extractChannel(sample as 0);
  const depth = meta.depth as "uchar" | "ushort";
  const { data, info } = await picked
    .toColourspace(meta.space)
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
  const values = depth === "uchar" ? data : words(data);
  const stride = info.channels;
  if (
    values.length !== meta.width * meta.height * stride ||
    (colour ? stride !== meta.channels : stride !== 1)
  )
    throw new Error(
      `${meta.width} × ${meta.height} pixels of ${meta.channels} samples became ${values.length} values of ${stride} samples`,
    );
  if (stride === 1 && values instanceof Uint16Array) return values;
  const pixels = new Uint16Array(meta.width * meta.height);
  const first = colour ? sample : 0;
  for (let i = 0, k = first; i < pixels.length; i++, k += stride) pixels[i] = values[k] as number;
  return pixels;
}

function words(bytes: Buffer): Uint16Array {
  return bytes.byteOffset % 2 === 0
    ? new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2)
    : new Uint16Array(Uint8Array.from(bytes).buffer);
}

const formats = new Set(["tiff", "png", "jpeg"]);

async function pageMetadata(file: FieldFile, page: number): Promise<Metadata> {
  const meta = await decode(file, page, () => openPage(file.path, page, file.limits).metadata());
  if (!formats.has(meta.format))
    throw new ImagingError(
      "unreadable-image",
      `${file.name}: expected a TIFF, PNG or JPEG, found ${meta.format}`,
    );
  return meta;
}

/** Look at the tags of the first `pages` pages before libvips does: it reads some of what it does not know wrong, without a word. */
async function vetTiff(file: FieldFile, pages: number): Promise<void> {
  for (const [page, tags] of ((await readTiffPages(file.path, pages)) ?? []).entries()) {
    const problem = tiffProblem(tags);
    if (problem !== undefined)
      throw new ImagingError(
        "unreadable-image",
        `${file.name}: expected a TIFF that this version reads, found on page ${page} ${problem}`,
      );
  }
}

/** Run libvips; what it cannot read becomes an error that says which file, what it is, and what libvips said. */
async function decode<T>(file: FieldFile, page: number, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof ImagingError) throw cause;
    const reason = (cause as Error).message.replaceAll(file.path, file.name).split("\n")[0]?.trim() ?? "";
    if (reason.includes("exceeds pixel limit") || reason.includes("exceeds channel limit"))
      throw new ImagingError(
        "too-large",
        `${file.name}: page ${page} has more than ${file.limits.maxPixels} pixels or ${file.limits.maxChannels} samples; CYTOMESH_MAX_FIELD_PIXELS and CYTOMESH_MAX_FIELD_CHANNELS set the limits`,
        { cause },
      );
    const found = await sniffFile(file.path);
    throw new ImagingError(
      "unreadable-image",
      `${file.name}: expected a TIFF, PNG or JPEG that libvips can decode, found ${found}, page ${page}: ${reason}; convert the file, or write it again if it is damaged`,
      { cause },
    );
  }
}
