import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { tiffKernels } from "../kernels/tiff-kernels.ts";
import { bytesOf, sampleBytes } from "../pixels.ts";
import { FAX_3, FAX_4, FAX_HUFFMAN, isJpeg2000, JPEG } from "./compressions.ts";
import { decompress } from "./decompress.ts";
import { decodeFax } from "./fax.ts";
import type { Visible } from "./fit.ts";
import { decodeJpegSegment } from "./jpeg.ts";
import { decodeJpeg2000Segment } from "./jpeg2000.ts";
import { type PageLayout, packedRowBytes } from "./layout.ts";

/**
 * A strip or tile as it lies in the file → `rows` × `segmentWidth` × samples values of the layout's pixel type, little-endian.
 * `samples` is 1 in separate planes; `visible` is what lies within the image. Does not touch the file; JPEG and fax decode in libvips,
 * JPEG 2000 in OpenJPEG, and are promised; the rest comes at once and may lie in the memory of the kernels or in `raw`: the next call
 * overwrites it.
 *
 * @throws MicroscopyError `corrupt`, `truncated`, `unsupported`, `too-large`.
 */
export function decodeSegment(
  layout: PageLayout,
  raw: Uint8Array<ArrayBuffer>,
  rows: number,
  visible: Visible,
  jpegTables: Uint8Array<ArrayBuffer> | undefined,
  littleEndian: boolean,
  where: string,
): Uint8Array<ArrayBuffer> | Promise<Uint8Array<ArrayBuffer>> {
  const { compression, reversedBits } = layout;
  const samples = layout.separate ? 1 : layout.samples;
  if (compression === JPEG) return decodeJpegSegment(layout, raw, rows, visible, samples, jpegTables, where);
  if (isJpeg2000(compression)) return decodeJpeg2000Segment(layout, raw, rows, visible, samples, where);
  const input = reversedBits ? reverseBits(raw) : raw;
  const capacity = packedRowBytes(layout) * rows;
  const finish = (packed: Uint8Array<ArrayBuffer>) => {
    if (packed.length < capacity)
      throw new MicroscopyError(
        "truncated",
        `${where}: expected ${capacity} bytes of pixels (${rows} rows), found ${packed.length}`,
      );
    return toSamples(layout, packed, rows, samples, littleEndian, where);
  };
  if (compression === FAX_HUFFMAN || compression === FAX_3 || compression === FAX_4)
    return decodeFax(layout, input, rows, where).then((packed) => finish(packed).slice());
  return finish(decompress(compression, input, capacity, where));
}

/** Undoes byte order, predictor and packing. The result may be `packed` itself, or lie in the memory of the kernels. */
export function toSamples(
  layout: PageLayout,
  packed: Uint8Array<ArrayBuffer>,
  rows: number,
  samples: number,
  littleEndian: boolean,
  where: string,
): Uint8Array<ArrayBuffer> {
  const { bits, predictor, format } = layout;
  const whole = bits === 8 || bits === 16 || bits === 32 || bits === 64;
  if (predictor !== 1 && !whole && !(predictor === 3 && bits === 24))
    throw new MicroscopyError("unsupported", `${where}: predictor ${predictor} of ${bits}-bit samples`);
  if (predictor === 3 && format !== "float")
    throw new MicroscopyError("corrupt", `${where}: the floating-point predictor on integers`);
  if (bits === 24) return from24(layout, packed, rows, samples, littleEndian);
  const swap = !littleEndian && bits > 8 && whole && predictor !== 3;
  const bytes = predictor !== 1 || !whole || swap ? inKernel(layout, packed, rows, samples, swap) : packed;
  return format === "float" && bits === 16 ? halfToFloat(bytes) : bytes;
}

function inKernel(
  layout: PageLayout,
  packed: Uint8Array<ArrayBuffer>,
  rows: number,
  samples: number,
  swap: boolean,
): Uint8Array<ArrayBuffer> {
  const { bits, predictor, segmentWidth, format, pixelType } = layout;
  const kernels = tiffKernels();
  const { length } = packed;
  // What was decompressed there is worked on there; growing would void the view of it, not the bytes.
  const resident = packed.buffer === kernels.memory.buffer;
  const from = resident ? packed.byteOffset : kernels.heapBase();
  const to = from + padded(length);
  const values = segmentWidth * samples;
  const whole = bits % 8 === 0;
  const outBytes = whole ? length : rows * values * sampleBytes(pixelType);
  reach(kernels.memory, to + padded(outBytes));
  const memory = new Uint8Array(kernels.memory.buffer);
  if (!resident) memory.set(packed, from);
  if (!whole) {
    const signed = format === "int" ? 1 : 0;
    kernels.unpackBits(from, to, rows, packedRowBytes(layout), values, bits, sampleBytes(pixelType), signed);
    return memory.subarray(to, to + outBytes);
  }
  if (predictor === 3) {
    kernels.joinFloats(from, to, rows, segmentWidth, samples, bits / 8);
    return memory.subarray(to, to + outBytes);
  }
  if (swap) kernels.swapBytes(from, length, bits / 8);
  if (predictor === 2) kernels.sumDifferences(from, rows, segmentWidth, samples, bits / 8);
  return memory.subarray(from, from + length);
}

/** 24-bit integers and floats → 32 bits. */
function from24(
  layout: PageLayout,
  packed: Uint8Array<ArrayBuffer>,
  rows: number,
  samples: number,
  littleEndian: boolean,
): Uint8Array<ArrayBuffer> {
  const joined = layout.predictor === 3 ? inKernel(layout, packed, rows, samples, false) : packed;
  const low = littleEndian || layout.predictor === 3;
  const count = Math.floor(joined.length / 3);
  const words = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const [a, b, c] = [joined[3 * i]!, joined[3 * i + 1]!, joined[3 * i + 2]!];
    words[i] = low ? (c << 16) | (b << 8) | a : (a << 16) | (b << 8) | c;
  }
  if (layout.format === "float") return bytesOf(Float32Array.from(words, float24));
  return bytesOf(layout.format === "int" ? words.map((word) => (word << 8) >> 8) : words);
}

/** 1 sign bit, 7 of exponent (bias 63), 16 of fraction (Adobe's technical note 3). */
function float24(word: number): number {
  const sign = word & 0x80_0000 ? -1 : 1;
  const exponent = (word >> 16) & 127;
  const fraction = word & 0xffff;
  if (exponent === 127) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -78;
  return sign * (1 + fraction / 65_536) * 2 ** (exponent - 63);
}

export function swapInPlace(bytes: Uint8Array<ArrayBuffer>, bits: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bits === 16) buffer.swap16();
  else if (bits === 32) buffer.swap32();
  else buffer.swap64();
}

const reversed = Uint8Array.from({ length: 256 }, (_, byte) => {
  let result = 0;
  for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) result |= 0x80 >> bit;
  return result;
});

function reverseBits(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.map((byte) => reversed[byte]!);
}

/** Every half float there is. */
let halves: Float32Array | undefined;

function halfToFloat(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  halves ??= Float32Array.from({ length: 65_536 }, (_, half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  });
  const count = bytes.length >> 1;
  const floats = new Float32Array(count);
  for (let i = 0; i < count; i++) floats[i] = halves[bytes[2 * i]! | (bytes[2 * i + 1]! << 8)]!;
  return new Uint8Array(floats.buffer);
}
