import { constants, deflateSync, zstdCompressSync } from "node:zlib";
import { MicroscopyError } from "../errors.ts";
import { bytesOf, newPixels, sampleBytes } from "../pixels.ts";
import type { Plane } from "../types.ts";

export type TileCompression = "none" | "deflate" | "zstd";

/** The tiles of a plane, row by row, those at the edges filled up with the last pixels, packed. */
export function encodeTiles(
  plane: Plane,
  side: number,
  compression: TileCompression,
  level: number | undefined,
): Uint8Array[] {
  if (!Number.isInteger(side) || side < 16 || side % 16 !== 0)
    throw new MicroscopyError("invalid-argument", `Expected tiles of a multiple of 16 pixels, found ${side}`);
  const tiles: Uint8Array[] = [];
  for (let y = 0; y < plane.height; y += side)
    for (let x = 0; x < plane.width; x += side)
      tiles.push(pack(cutTile(plane, x, y, side), plane, side, compression, level));
  return tiles;
}

function cutTile(plane: Plane, left: number, top: number, side: number): Plane {
  const { width, height, samples, pixelType } = plane;
  const data = newPixels(pixelType, side * side * samples) as Uint16Array<ArrayBuffer>;
  const source = plane.data as Uint16Array;
  const columns = Math.min(side, width - left);
  const rows = Math.min(side, height - top);
  for (let y = 0; y < rows; y++) {
    const from = ((top + y) * width + left) * samples;
    const to = y * side * samples;
    data.set(source.subarray(from, from + columns * samples), to);
    // Repeated, as steps to zero would cost bytes.
    for (let i = columns * samples; i < side * samples; i++) data[to + i] = data[to + i - samples]!;
  }
  for (let y = rows; y < side; y++)
    data.copyWithin(y * side * samples, (rows - 1) * side * samples, rows * side * samples);
  return { width: side, height: side, samples, pixelType, data };
}

function pack(
  tile: Plane,
  plane: Plane,
  side: number,
  compression: TileCompression,
  level: number | undefined,
): Uint8Array {
  if (compression !== "none" && !plane.pixelType.startsWith("float")) difference(tile, side * plane.samples);
  const bytes = bytesOf(tile.data);
  if (compression === "none") return bytes;
  if (compression === "deflate")
    return deflateSync(bytes, { level: level ?? 6, chunkSize: bytes.length + 1_024 });
  return zstdCompressSync(bytes, {
    params: { [constants.ZSTD_c_compressionLevel]: level ?? 3, [constants.ZSTD_c_checksumFlag]: 0 },
  });
}

/** Predictor 2: each value less the one before it in its row and sample; wraps around as its type does. */
function difference(tile: Plane, rowValues: number): void {
  const { samples, data, pixelType } = tile;
  const unit = sampleBytes(pixelType);
  const words =
    unit === 1
      ? new Uint8Array(data.buffer)
      : unit === 2
        ? new Uint16Array(data.buffer)
        : new Uint32Array(data.buffer);
  for (let row = 0; row < words.length; row += rowValues)
    for (let i = rowValues - 1; i >= samples; i--)
      words[row + i] = words[row + i]! - words[row + i - samples]!;
}
