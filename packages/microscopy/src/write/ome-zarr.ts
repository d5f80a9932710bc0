import { constants, zstdCompressSync } from "node:zlib";
import { crc32c } from "@cytomesh/codecs";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { MicroscopyError } from "../errors.ts";
import { bytesOf, newPixels } from "../pixels.ts";
import { shrinkPlane } from "../transform/shrink.ts";
import type { Plane } from "../types.ts";
import { type ImageInput, planesOf } from "./image-input.ts";

export interface OmeZarrOptions {
  /** Side of the chunks (default 512). */
  readonly chunkSize?: number;
  /** All chunks of a plane in one object (a shard), for stores where many small objects are slow (default false). */
  readonly sharded?: boolean;
  /** Levels with the full size; each is half of the one before in y and x (default 1). */
  readonly levels?: number;
  /** How smaller levels are made: `nearest` for labels. */
  readonly shrink?: "mean" | "nearest";
  /** 1 to 22 of zstd (default 3). */
  readonly level?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Objects written at a time. */
const PARALLEL = 8;

/**
 * Writes an image as OME-Zarr (NGFF 0.5, zarr v3) below a URI: axes t, c, z, y, x, chunks of one plane, zstd. The metadata come last, so
 * that a group that can be opened is whole. The same input and options give the same objects.
 *
 * @throws MicroscopyError `invalid-argument`, `unsupported`; errors of the store as they are.
 */
export async function writeOmeZarr(
  store: ObjectStore,
  uri: string,
  input: ImageInput,
  options: OmeZarrOptions = {},
): Promise<void> {
  const { chunkSize = 512, sharded = false, levels = 1, shrink = "mean", level = 3, signal } = options;
  const { sizes } = input;
  if ((sizes.samples ?? 1) !== 1)
    throw new MicroscopyError("unsupported", "OME-Zarr has no samples; give RGB as three channels");
  if (!Number.isInteger(chunkSize) || chunkSize < 1)
    throw new MicroscopyError("invalid-argument", `Expected chunks of at least a pixel, found ${chunkSize}`);
  const shapes: { width: number; height: number }[] = [{ width: sizes.x, height: sizes.y }];
  for (let i = 1; i < levels; i++) {
    const { width, height } = shapes[i - 1]!;
    if (width === 1 && height === 1) break;
    shapes.push({ width: Math.ceil(width / 2), height: Math.ceil(height / 2) });
  }
  const pending = new Set<Promise<void>>();
  const put = async (key: string, body: Uint8Array | string) => {
    if (pending.size >= PARALLEL) await Promise.race(pending);
    const promise = store.put(joinUri(uri, key), body, { signal }).then(() => {
      pending.delete(promise);
    });
    // A failure is reported by the wait below, or by the next one.
    promise.catch(() => {});
    pending.add(promise);
  };
  for await (const { plane, t, c, z } of planesOf(input, signal)) {
    let scaled = plane;
    for (let i = 0; i < shapes.length; i++) {
      if (i > 0) scaled = shrinkPlane(scaled, shrink);
      const chunks = chunksOf(scaled, chunkSize, level);
      if (sharded) await put(`${i}/c/${t}/${c}/${z}/0/0`, shardOf(chunks.map(({ bytes }) => bytes)));
      else
        for (const { row, column, bytes } of chunks)
          await put(`${i}/c/${t}/${c}/${z}/${row}/${column}`, bytes);
    }
  }
  await Promise.all(pending);
  for (const [i, shape] of shapes.entries())
    await put(`${i}/zarr.json`, json(arrayMetadata(input, shape, chunkSize, sharded, level)));
  await Promise.all(pending);
  await put("zarr.json", json(groupMetadata(input, shapes)));
  await Promise.all(pending);
}

/** The chunks of a plane, row by row; those at the edges are whole, filled up with zeros, as zarr has them. */
function chunksOf(
  plane: Plane,
  side: number,
  level: number,
): { row: number; column: number; bytes: Uint8Array }[] {
  const { width, height, pixelType } = plane;
  const source = plane.data as Uint16Array;
  const chunks: { row: number; column: number; bytes: Uint8Array }[] = [];
  for (let row = 0; row * side < height; row++)
    for (let column = 0; column * side < width; column++) {
      const data = newPixels(pixelType, side * side) as Uint16Array<ArrayBuffer>;
      const right = Math.min(width, (column + 1) * side);
      for (let y = row * side; y < Math.min(height, (row + 1) * side); y++)
        data.set(source.subarray(y * width + column * side, y * width + right), (y - row * side) * side);
      const params = { [constants.ZSTD_c_compressionLevel]: level };
      chunks.push({ row, column, bytes: zstdCompressSync(bytesOf(data), { params }) });
    }
  return chunks;
}

/** Chunks one behind the other, then their places and lengths (64-bit) and a CRC32C of these. */
function shardOf(chunks: readonly Uint8Array[]): Uint8Array {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const shard = new Uint8Array(length + chunks.length * 16 + 4);
  const view = new DataView(shard.buffer);
  let at = 0;
  for (const [i, chunk] of chunks.entries()) {
    shard.set(chunk, at);
    view.setBigUint64(length + i * 16, BigInt(at), true);
    view.setBigUint64(length + i * 16 + 8, BigInt(chunk.length), true);
    at += chunk.length;
  }
  view.setUint32(shard.length - 4, crc32c(shard.subarray(length, shard.length - 4)), true);
  return shard;
}

function arrayMetadata(
  { sizes, pixelType }: ImageInput,
  { width, height }: { width: number; height: number },
  side: number,
  sharded: boolean,
  level: number,
): object {
  const chunk = [1, 1, 1, side, side];
  const codecs = [
    { name: "bytes", configuration: { endian: "little" } },
    { name: "zstd", configuration: { level, checksum: false } },
  ];
  const shard = [1, 1, 1, Math.ceil(height / side) * side, Math.ceil(width / side) * side];
  return {
    zarr_format: 3,
    node_type: "array",
    shape: [sizes.t, sizes.c, sizes.z, height, width],
    data_type: pixelType,
    chunk_grid: { name: "regular", configuration: { chunk_shape: sharded ? shard : chunk } },
    chunk_key_encoding: { name: "default", configuration: { separator: "/" } },
    fill_value: 0,
    codecs: sharded
      ? [
          {
            name: "sharding_indexed",
            configuration: {
              chunk_shape: chunk,
              codecs,
              index_codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
              index_location: "end",
            },
          },
        ]
      : codecs,
    dimension_names: ["t", "c", "z", "y", "x"],
    attributes: {},
  };
}

function groupMetadata(input: ImageInput, shapes: readonly object[]): object {
  const { pixelSizeUm: size, channels = [], sizes, name } = input;
  const space = (axis: "x" | "y" | "z") => ({
    name: axis,
    type: "space",
    ...(size?.[axis] !== undefined && { unit: "micrometer" }),
  });
  const ome = {
    version: "0.5",
    multiscales: [
      {
        ...(name !== undefined && { name }),
        axes: [
          { name: "t", type: "time" },
          { name: "c", type: "channel" },
          space("z"),
          space("y"),
          space("x"),
        ],
        datasets: shapes.map((_, i) => ({
          path: String(i),
          coordinateTransformations: [
            {
              type: "scale",
              scale: [1, 1, size?.z ?? 1, (size?.y ?? 1) * 2 ** i, (size?.x ?? 1) * 2 ** i],
            },
          ],
        })),
      },
    ],
    ...(channels.length > 0 && {
      omero: {
        channels: Array.from({ length: sizes.c }, (_, c) => ({
          label: channels[c]?.name ?? `Channel ${c}`,
          color: (channels[c]?.color ?? "#ffffff").slice(1).toUpperCase(),
          active: true,
          window: windowOf(input.pixelType),
        })),
      },
    }),
  };
  return { zarr_format: 3, node_type: "group", attributes: { ome } };
}

/** Viewers need a range to show; that of the type says nothing wrong. */
function windowOf(type: ImageInput["pixelType"]): { min: number; max: number; start: number; end: number } {
  const bits = Number(/\d+$/.exec(type)?.[0]);
  const max = type.startsWith("float") ? 1 : type.startsWith("uint") ? 2 ** bits - 1 : 2 ** (bits - 1) - 1;
  const min = type.startsWith("int") ? -(2 ** (bits - 1)) : 0;
  return { min, max, start: min, end: max };
}

function json(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
