import { constants, crc32, deflateSync } from "node:zlib";
import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { pixelKernels } from "../kernels/pixel-kernels.ts";
import { bytesOf } from "../pixels.ts";
import type { PixelSizeUm, Plane } from "../types.ts";

export interface PngOptions {
  /**
   * `up` (default) is fast and suits microscopy; `adaptive` takes for each row the filter with the least sum of absolute differences.
   */
  readonly filter?: "none" | "sub" | "up" | "average" | "paeth" | "adaptive";
  /**
   * 0 to 9 (default 1: beyond it, noise takes time and hardly shrinks). With filters, 1 is our own encoder, three to four times as fast as zlib's
   * level 1 and smaller on pictures with noise: codes for bytes and runs of one byte. The others are zlib's.
   */
  readonly level?: number;
  /** Written as `pHYs`, in pixels per metre. */
  readonly pixelSizeUm?: PixelSizeUm | undefined;
  /** `tEXt` entries in this order: keyword of Latin-1 and text of Latin-1. */
  readonly text?: readonly (readonly [string, string])[];
}

const filters = { none: 0, sub: 1, up: 2, average: 3, paeth: 4, adaptive: 5 } as const;
const colorTypes = [0, 0, 4, 2, 6] as const;

/**
 * A plane of uint8 or uint16 with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) samples as a PNG of 8 or 16 bits. The same plane and
 * options give the same bytes; other levels than 1 only with one version of zlib. For many noisy crops of one image of uint16,
 * `createCropPngEncoder` codes windows without cutting them out, and is faster.
 *
 * @throws MicroscopyError `invalid-argument`, `unsupported`.
 */
export function encodePng(plane: Plane, options: PngOptions = {}): Uint8Array<ArrayBuffer> {
  const { width, height, samples, pixelType, data } = plane;
  const { filter = "up", level = 1, pixelSizeUm, text = [] } = options;
  const colorType = colorTypes[samples];
  if ((pixelType !== "uint8" && pixelType !== "uint16") || samples < 1 || colorType === undefined)
    throw new MicroscopyError(
      "unsupported",
      `PNG holds 1 to 4 samples of uint8 or uint16, found ${samples} of ${pixelType}`,
    );
  if (width < 1 || height < 1 || data.length !== width * height * samples)
    throw new MicroscopyError(
      "invalid-argument",
      `Expected ${width} × ${height} × ${samples} values, found ${data.length}`,
    );
  const sampleSize = pixelType === "uint16" ? 2 : 1;
  const filtered = filterPixels(plane, sampleSize, filters[filter]);
  const packed =
    level === 1 && filter !== "none"
      ? packRuns(filtered)
      : deflateSync(filtered, {
          level,
          memLevel: 9,
          strategy: filter === "none" ? constants.Z_DEFAULT_STRATEGY : constants.Z_FILTERED,
          chunkSize: Math.max(1024, Math.ceil(filtered.length * 1.001) + 64),
        });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = sampleSize * 8;
  header[9] = colorType;
  const chunks: [string, Uint8Array][] = [["IHDR", header]];
  const physical = pixelSizeUm && physOf(pixelSizeUm);
  if (physical) chunks.push(["pHYs", physical]);
  for (const [keyword, value] of text) chunks.push(["tEXt", Buffer.from(`${keyword}\0${value}`, "latin1")]);
  chunks.push(["IDAT", packed], ["IEND", new Uint8Array(0)]);
  return join(chunks);
}

/** Filtered pixels, where they lie in the kernels' memory, as a zlib stream behind them. */
function packRuns(filtered: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const kernels = pixelKernels();
  const { byteOffset: from, length } = filtered;
  const to = from + padded(length);
  reach(kernels.memory, to + padded(kernels.deflateBound(length, 1)));
  const size = kernels.deflate(from, length, to, 1);
  return new Uint8Array(kernels.memory.buffer, to, size);
}

/** In the memory of the kernels. */
function filterPixels(plane: Plane, sampleSize: number, kind: number): Uint8Array<ArrayBuffer> {
  const { width, height, samples, data } = plane;
  const bytes = width * samples * sampleSize;
  const kernels = pixelKernels();
  // 16 zeros in front of a row, and room behind it for whole steps of 16.
  const stride = Math.ceil(bytes / 16) * 16 + 32;
  const source = kernels.heapBase();
  const first = source + padded(data.byteLength) + stride + 16;
  const to = first + height * stride + 32;
  const spare = to + padded(height * (bytes + 1));
  reach(kernels.memory, spare + padded(bytes));
  const memory = new Uint8Array(kernels.memory.buffer);
  memory.set(bytesOf(data), source);
  memory.fill(0, first - stride - 16, to);
  const spread = sampleSize === 2 ? kernels.spread16 : kernels.spread8;
  spread(source, first, height, bytes, stride);
  const length = kernels.filterRows(first, to, height, bytes, stride, samples * sampleSize, kind, spare);
  return memory.subarray(to, to + length);
}

/** Pixels per metre; left out where they do not fit 32 bits. */
export function physOf(size: PixelSizeUm): Uint8Array | undefined {
  const perMetre = [size.x, size.y].map((um) => Math.round(1e6 / um));
  if (!perMetre.every((value) => value >= 1 && value < 2 ** 32)) return undefined;
  const chunk = Buffer.alloc(9);
  chunk.writeUInt32BE(perMetre[0]!, 0);
  chunk.writeUInt32BE(perMetre[1]!, 4);
  chunk[8] = 1;
  return chunk;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

function join(chunks: readonly [string, Uint8Array][]): Uint8Array<ArrayBuffer> {
  const length = chunks.reduce((sum, [, body]) => sum + 12 + body.length, 8);
  const png = new Uint8Array(length);
  const view = new DataView(png.buffer);
  png.set(SIGNATURE);
  let at = 8;
  for (const [type, body] of chunks) {
    view.setUint32(at, body.length);
    for (let i = 0; i < 4; i++) png[at + 4 + i] = type.charCodeAt(i);
    png.set(body, at + 8);
    view.setUint32(at + 8 + body.length, crc32(png.subarray(at + 4, at + 8 + body.length)));
    at += 12 + body.length;
  }
  return png;
}
