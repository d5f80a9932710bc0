import * as zlib from "node:zlib";
import { crc32c } from "@cytomesh/codecs";
import { json } from "./memory-store.ts";

/**
 * A model of zarr that is slow and plain: numbers in a flat array, chunks made element by element. What it writes is compared with
 * what the reader makes of it.
 */
export interface NaiveArray {
  shape: number[];
  /** float64 values, row-major. */
  values: number[];
}

export interface NaiveOptions {
  format: 2 | 3;
  chunks: number[];
  /** v3 only: shards of this many chunks along each axis. */
  chunksPerShard?: number[] | undefined;
  indexAt?: "start" | "end";
  bigEndian?: boolean;
  /** Axis order in which a chunk is stored; v2 knows only C and F. */
  transpose?: number[] | undefined;
  compress?: "none" | "gzip" | "zstd" | "zlib";
  checksum?: boolean;
  separator?: "." | "/";
  fill: number;
}

export function all(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (found, side) => found.flatMap((index) => Array.from({ length: side }, (_, i) => [...index, i])),
    [[]],
  );
}

export function at(array: NaiveArray, index: readonly number[]): number {
  return array.values[index.reduce((sum, i, axis) => sum * array.shape[axis]! + i, 0)]!;
}

/** Objects of a hierarchy whose root is the array. Chunks that hold nothing but the fill value are left out. */
export function naiveZarr(array: NaiveArray, options: NaiveOptions): Map<string, Uint8Array> {
  const objects = new Map<string, Uint8Array>();
  const { format, chunks } = options;
  const order = options.transpose ?? chunks.map((_, axis) => axis);
  objects.set(
    format === 2 ? ".zarray" : "zarr.json",
    json(format === 2 ? docV2(array, options) : docV3(array, options)),
  );
  const chunkBytes = (origin: number[]): Uint8Array | undefined => {
    const values = all(order.map((axis) => chunks[axis]!)).map((stored) => {
      const index = order.map((_, axis) => origin[axis]! + stored[order.indexOf(axis)]!);
      return index.every((i, axis) => i < array.shape[axis]!) ? at(array, index) : options.fill;
    });
    if (values.every((value) => Object.is(value, options.fill))) return undefined;
    const bytes = new Uint8Array(values.length * 8);
    const view = new DataView(bytes.buffer);
    for (const [i, value] of values.entries()) view.setFloat64(i * 8, value, !options.bigEndian);
    return encode(bytes, options);
  };
  const per = options.chunksPerShard;
  const outer = per === undefined ? chunks : chunks.map((side, axis) => side * per[axis]!);
  const grid = array.shape.map((side, axis) => Math.ceil(side / outer[axis]!));
  for (const index of all(grid)) {
    const origin = index.map((i, axis) => i * outer[axis]!);
    const bytes = per === undefined ? chunkBytes(origin) : shardBytes(origin, per, options, chunkBytes);
    if (bytes !== undefined) objects.set(keyOf(index, options), bytes);
  }
  return objects;
}

function keyOf(index: number[], { format, separator = format === 2 ? "." : "/" }: NaiveOptions): string {
  if (format === 2) return index.length === 0 ? "0" : index.join(separator);
  return ["c", ...index].join(separator);
}

function shardBytes(
  origin: number[],
  per: number[],
  options: NaiveOptions,
  chunkBytes: (origin: number[]) => Uint8Array | undefined,
): Uint8Array | undefined {
  const inner = all(per).map((index) =>
    chunkBytes(index.map((i, axis) => origin[axis]! + i * options.chunks[axis]!)),
  );
  if (inner.every((bytes) => bytes === undefined)) return undefined;
  const index = new DataView(new ArrayBuffer(inner.length * 16));
  let end = options.indexAt === "start" ? inner.length * 16 + 4 : 0;
  for (const [i, bytes] of inner.entries()) {
    index.setBigUint64(i * 16, bytes === undefined ? 2n ** 64n - 1n : BigInt(end), true);
    index.setBigUint64(i * 16 + 8, bytes === undefined ? 2n ** 64n - 1n : BigInt(bytes.length), true);
    end += bytes?.length ?? 0;
  }
  const sum = new Uint8Array(4);
  new DataView(sum.buffer).setUint32(0, crc32c(new Uint8Array(index.buffer)), true);
  const body = inner.filter((bytes) => bytes !== undefined);
  const table = [new Uint8Array(index.buffer), sum];
  return new Uint8Array(
    Buffer.concat(options.indexAt === "start" ? [...table, ...body] : [...body, ...table]),
  );
}

function encode(bytes: Uint8Array, { compress = "none", checksum }: NaiveOptions): Uint8Array {
  const packed = {
    none: () => bytes,
    gzip: zlib.gzipSync,
    zstd: zlib.zstdCompressSync,
    zlib: zlib.deflateSync,
  }[compress](bytes);
  if (!checksum) return new Uint8Array(packed);
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(crc32c(packed));
  return new Uint8Array(Buffer.concat([packed, sum]));
}

function fillJson(fill: number): number | string {
  return Number.isFinite(fill) ? fill : String(fill);
}

function docV2({ shape }: NaiveArray, options: NaiveOptions): object {
  const { compress = "none", separator } = options;
  return {
    zarr_format: 2,
    shape,
    chunks: options.chunks,
    dtype: options.bigEndian ? ">f8" : "<f8",
    order: options.transpose === undefined ? "C" : "F",
    filters: null,
    compressor: compress === "none" ? null : { id: compress, level: 1 },
    fill_value: fillJson(options.fill),
    ...(separator === undefined ? {} : { dimension_separator: separator }),
  };
}

function docV3({ shape }: NaiveArray, options: NaiveOptions): object {
  const { compress = "none", chunksPerShard, separator } = options;
  const codecs: object[] = [];
  if (options.transpose !== undefined)
    codecs.push({ name: "transpose", configuration: { order: options.transpose } });
  codecs.push({ name: "bytes", configuration: { endian: options.bigEndian ? "big" : "little" } });
  if (compress !== "none")
    codecs.push({ name: compress === "zlib" ? "numcodecs.zlib" : compress, configuration: { level: 1 } });
  if (options.checksum) codecs.push({ name: "crc32c" });
  const sharding = {
    name: "sharding_indexed",
    configuration: {
      chunk_shape: options.chunks,
      codecs,
      index_codecs: [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }],
      index_location: options.indexAt ?? "end",
    },
  };
  return {
    zarr_format: 3,
    node_type: "array",
    shape,
    data_type: "float64",
    chunk_grid: {
      name: "regular",
      configuration: {
        chunk_shape: options.chunks.map((side, axis) => side * (chunksPerShard?.[axis] ?? 1)),
      },
    },
    chunk_key_encoding: { name: "default", configuration: separator === undefined ? {} : { separator } },
    fill_value: fillJson(options.fill),
    codecs: chunksPerShard === undefined ? codecs : [sharding],
  };
}
