import { MicroscopyError } from "../errors.ts";
import { type Decoded, decodeJp2, OpenJpegError } from "../openjpeg.ts";
import { sampleBytes } from "../pixels.ts";
import { type Codestream, readCodestream } from "./codestream.ts";
import { JPEG_2000_YCBCR } from "./compressions.ts";
import { fitSegment, fits, type Visible } from "./fit.ts";
import { jp2Head, unwrapJp2 } from "./jp2.ts";
import type { PageLayout } from "./layout.ts";

/** Components that OpenJPEG's WebAssembly hands out at a time. */
const AT_ONCE = 3;
const MOST_SAMPLES = 4;
/** OpenJPEG holds 8 to 12 bytes per sample, and WebAssembly 2 GiB. */
const MOST_DECODED = 2 ** 27;

/**
 * A segment of JPEG 2000 data, a codestream or JP2 boxes around one → samples of the layout's type. YCbCr becomes RGB: of Aperio's 33003,
 * of pages that are YCbCr by their tag, and of data that say so; not where the codestream's own transformation leads back to RGB.
 *
 * @throws MicroscopyError `corrupt`, `unsupported`, `too-large`.
 */
export async function decodeJpeg2000Segment(
  layout: PageLayout,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  visible: Visible,
  samples: number,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { segmentWidth, bits, format, compression, photometricTag, pixelType } = layout;
  if (bits > 16 || format === "float" || samples > MOST_SAMPLES)
    throw new MicroscopyError(
      "unsupported",
      `${where}: JPEG 2000 of ${samples} samples of ${bits} bits (${format})`,
    );
  const { codestream, isYcc } = unwrapJp2(raw, where);
  const frame = readCodestream(codestream, where);
  // Declared sizes decide what is allocated, so they are looked at before.
  if (!fits(frame, visible, layout))
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected JPEG 2000 data of ${segmentWidth} × ${rows} pixels, found ${frame.width} × ${frame.height}`,
    );
  if (frame.components !== samples || frame.bits > 8 * sampleBytes(pixelType))
    throw new MicroscopyError(
      "corrupt",
      `${where}: expected JPEG 2000 data of ${samples} components of ${bits} bits, found ${frame.components} of ${frame.bits}`,
    );
  if (frame.width * frame.height * samples > MOST_DECODED)
    throw new MicroscopyError(
      "too-large",
      `${where}: JPEG 2000 data of ${frame.width} × ${frame.height} × ${samples} samples, the limit is ${MOST_DECODED}`,
    );
  const declared = isYcc || compression === JPEG_2000_YCBCR || photometricTag === 6;
  const ycc = samples === 3 && !frame.transformed && (declared || frame.subsampled);
  if (ycc && frame.signed) throw new MicroscopyError("unsupported", `${where}: JPEG 2000 of signed YCbCr`);
  const unit = sampleBytes(pixelType);
  const data = await decodeAll(frame, codestream, samples, unit, ycc, where);
  return fitSegment({ ...frame, data }, samples * unit, segmentWidth, rows);
}

/** All samples side by side, in `unit` bytes each. */
async function decodeAll(
  frame: Codestream,
  codestream: Uint8Array<ArrayBuffer>,
  samples: number,
  unit: number,
  ycc: boolean,
  where: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const { width, height, bits, signed } = frame;
  let pixels: Uint8Array<ArrayBuffer> | undefined;
  for (let first = 0; first < samples; first += AT_ONCE) {
    const decoded = await decode(frame, codestream, channelsFrom(first, samples), ycc, where);
    const asStored = !signed && unit === (bits > 8 ? 2 : 1) && decoded.components === samples;
    if (asStored) return decoded.data;
    pixels ??= new Uint8Array(width * height * samples * unit);
    spread(frame, decoded, pixels, first, samples, unit);
  }
  return pixels!;
}

/** One component or three: of two, the second comes twice. */
function channelsFrom(first: number, samples: number): number[] {
  const left = Math.min(AT_ONCE, samples - first);
  return left === 2 ? [first, first + 1, first + 1] : Array.from({ length: left }, (_, i) => first + i);
}

async function decode(
  frame: Codestream,
  codestream: Uint8Array<ArrayBuffer>,
  channels: readonly number[],
  ycc: boolean,
  where: string,
): Promise<Decoded> {
  const { width, height, bits, components, signed } = frame;
  const head = jp2Head(frame, codestream.length, channels, ycc ? "ycc" : "plain");
  // Signed components are decoded as unsigned ones, which lie 2^(bits - 1) higher: OpenJPEG's wrapper clamps 8 bits at 0.
  const depths = 42 + 3 * components;
  const parts = signed
    ? [head, asUnsigned(frame, codestream), codestream.subarray(depths)]
    : [head, codestream];
  try {
    const decoded = await decodeJp2(parts, width * height * components);
    const { data } = decoded;
    const expected = width * height * channels.length * (bits > 8 ? 2 : 1);
    if (data.length !== expected || decoded.components !== channels.length || decoded.bits !== bits)
      throw new OpenJpegError(`${data.length} bytes were decoded of ${expected}`);
    return decoded;
  } catch (error) {
    if (!(error instanceof OpenJpegError)) throw error;
    throw new MicroscopyError("corrupt", `${where}: damaged JPEG 2000 data (${error.message.trim()})`, {
      cause: error,
    });
  }
}

/** The start of the codestream, up to the end of its depths, with their signs cleared. */
function asUnsigned({ depthsAt, components }: Codestream, codestream: Uint8Array<ArrayBuffer>): Uint8Array {
  const start = codestream.slice(0, 42 + 3 * components);
  for (const at of depthsAt) start[at]! &= 0x7f;
  return start;
}

/** Puts decoded samples into their places among the others, in their type and with their sign. */
function spread(
  frame: Codestream,
  { data, components }: Decoded,
  pixels: Uint8Array<ArrayBuffer>,
  first: number,
  samples: number,
  unit: number,
): void {
  const from = frame.bits > 8 ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  const to = unit === 2 ? new Uint16Array(pixels.buffer) : pixels;
  const middle = frame.signed ? 2 ** (frame.bits - 1) : 0;
  const count = Math.min(components, samples - first);
  for (let i = 0, at = first; i < from.length; i += components, at += samples)
    for (let k = 0; k < count; k++) to[at + k] = from[i + k]! - middle;
}
