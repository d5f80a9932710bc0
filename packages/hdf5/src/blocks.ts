import { Hdf5Error } from "./errors.ts";
import { filterIds } from "./filters.ts";
import type { DatasetInfo, H5Numbers, H5Values } from "./types.ts";
import { memoryBytes } from "./wasm-type.ts";

/** One pass through the wasm heap; large single reads have come back as zeros (h5wasm issue 100). */
const blockBytes = 16 * 1024 * 1024;
/** HDF5 holds a chunk twice while it decodes it. */
const maxChunkBytes = 512 * 1024 * 1024;
/** A pass that has to hold whole rows of chunks may be bigger, up to this. */
const maxBlockBytes = 128 * 1024 * 1024;
/** Deflate cannot expand more than about 1032 times, LZF and LZ4 not more than 255; Zstandard, also inside others, can, on constant data. */
const maxExpansion = 1_100;
const maxZstdExpansion = 100_000;
const withZstd: ReadonlySet<number> = new Set([filterIds.zstd, filterIds.blosc, filterIds.bitshuffle]);
/** Small datasets may never have been written at all: HDF5 then gives fill values. */
const alwaysAllowedBytes = 16 * 1024 * 1024;

export function rowElements(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, dim) => product * dim, 1);
}

export function elementCount(shape: readonly number[] | undefined): number {
  return shape === undefined ? 0 : shape.reduce((product, dim) => product * dim, 1);
}

/** Throws before anything is allocated when the declared sizes cannot be true for a file of this size. */
export function checkDeclaredSize(info: DatasetInfo, fileBytes: number, where: string): void {
  const size = info.elementBytes;
  const declared = elementCount(info.shape) * size;
  const packed = info.filters.some(({ id }) => withZstd.has(id)) ? maxZstdExpansion : maxExpansion;
  const factor = info.filters.length > 0 ? packed : 1;
  if (!(declared <= Math.max(alwaysAllowedBytes, fileBytes * factor))) {
    throw new Hdf5Error(
      "too-large",
      `${where} declares shape [${info.shape}] (${declared} bytes), which a file of ${fileBytes} bytes cannot hold`,
    );
  }
  const chunk = elementCount(info.chunks) * size;
  if (
    info.chunks !== undefined &&
    !(chunk <= Math.min(maxChunkBytes, Math.max(alwaysAllowedBytes, declared * 4)))
  ) {
    throw new Hdf5Error(
      "too-large",
      `${where} has chunks of shape [${info.chunks}] (${chunk} bytes); at most ${maxChunkBytes} bytes are read`,
    );
  }
}

/** Rows per pass: a multiple of the chunk's rows where that fits, so that no chunk is decoded twice. */
export function blockRows(info: DatasetInfo): number {
  const rowBytes = rowElements(info.shape ?? []) * (memoryBytes(info.type) ?? 1);
  if (rowBytes > maxChunkBytes) {
    throw new Hdf5Error(
      "too-large",
      `${info.path}: one row has ${rowBytes} bytes; at most ${maxChunkBytes} are read`,
    );
  }
  const rows = Math.max(1, Math.floor(blockBytes / Math.max(1, rowBytes)));
  const chunkRows = info.chunks?.[0] ?? 1;
  // Chunks that are tall and narrow: decoding them again costs less than holding all of them.
  if (chunkRows * rowBytes > maxBlockBytes) return Math.max(1, Math.floor(maxBlockBytes / rowBytes));
  return Math.max(chunkRows, Math.floor(rows / chunkRows) * chunkRows);
}

/** Joins the passes of one read. */
export function joinValues(parts: readonly H5Values[]): H5Values {
  const first = parts[0]!;
  if (parts.length === 1) return first;
  if (Array.isArray(first)) return (parts as readonly string[][]).flat();
  if (first instanceof Map) {
    const maps = parts as readonly Map<string, H5Values>[];
    return new Map([...first.keys()].map((name) => [name, joinValues(maps.map((part) => part.get(name)!))]));
  }
  const arrays = parts as readonly H5Numbers[];
  const length = arrays.reduce((sum, part) => sum + part.length, 0);
  const Type = first.constructor as new (length: number) => H5Numbers;
  const joined = new Type(length);
  let at = 0;
  for (const part of arrays) {
    (joined as { set(values: H5Numbers, at: number): void }).set(part, at);
    at += part.length;
  }
  return joined;
}
