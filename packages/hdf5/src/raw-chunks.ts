import { elementCount, rowElements } from "./blocks.ts";
import { decodeChunk } from "./codecs/decode-chunk.ts";
import { decodeElements, utf8Text } from "./decode.ts";
import { Hdf5Error } from "./errors.ts";
import { readHeapStrings } from "./raw-heap.ts";
import type { DatasetInfo, H5Values } from "./types.ts";
import { explainLog, type Sandbox } from "./wasm-module.ts";
import { hasPointers, memoryBytes } from "./wasm-type.ts";
import { vlenBytes } from "./write/encode-type.ts";

/**
 * Rows of a dataset whose filter the wasm HDF5 does not have (LZF, Zstandard). HDF5 is asked for one element of each chunk: it
 * finds and reads the stored chunk, then fails at the filter, and the bytes it read last are that chunk. A chunk that was stored
 * without its filter (incompressible data) is simply read.
 */
export function readRawRows(
  sandbox: Sandbox,
  file: bigint,
  base: number,
  info: DatasetInfo,
  start: number,
  end: number,
): H5Values {
  const shape = info.shape!;
  const size = rawElementBytes(info);
  if (info.chunks === undefined || shape.length > 2 || size === undefined) {
    throw new Hdf5Error(
      "unsupported",
      `${info.path}: this filter is supported for little-endian numbers and strings on one or two axes only`,
    );
  }
  const [chunkRows, chunkColumns] = [info.chunks[0]!, info.chunks[1] ?? 1];
  const columns = rowElements(shape);
  const out = new Uint8Array((end - start) * columns * size);
  for (let row = Math.floor(start / chunkRows) * chunkRows; row < end; row += chunkRows) {
    for (let column = 0; column < columns; column += chunkColumns) {
      const origin = shape.length === 2 ? [row, column] : [row];
      const chunk = readChunk(sandbox, file, info, origin, size);
      const width = Math.min(chunkColumns, columns - column) * size;
      for (let r = Math.max(start, row); r < Math.min(end, row + chunkRows); r++) {
        const from = (r - row) * chunkColumns * size;
        out.set(chunk.subarray(from, from + width), ((r - start) * columns + column) * size);
      }
    }
  }
  if (!hasPointers(info.type)) return decodeElements(out, info.type, out, info.path);
  return readHeapStrings(sandbox.allowedPath!, out, base, info.path).map((bytes, i) => {
    const nul = bytes.indexOf(0);
    return utf8Text(bytes, 0, nul < 0 ? bytes.length : nul, info.path, i);
  });
}

/** Bytes of an element on disk; undefined for what is not decoded here. */
function rawElementBytes(info: DatasetInfo): number | undefined {
  const { type } = info;
  if (info.bigEndian) return undefined;
  if (type.kind === "string") return type.size === "variable" ? vlenBytes : type.size;
  return type.kind === "int" || type.kind === "float" || type.kind === "enum" ? memoryBytes(type) : undefined;
}

function readChunk(
  sandbox: Sandbox,
  file: bigint,
  info: DatasetInfo,
  origin: number[],
  size: number,
): Uint8Array {
  const { hdf5 } = sandbox;
  const offset = origin.map(BigInt);
  const ones = origin.map(() => 1n);
  const chunkBytes = elementCount(info.chunks) * size;
  sandbox.log = "";
  sandbox.lastRead = undefined;
  sandbox.captureReads = true;
  const scratch = hdf5._malloc(chunkBytes);
  try {
    if (hdf5.get_dataset_data(file, info.path, ones, offset, ones, BigInt(scratch)) >= 0) {
      return readStoredChunk(sandbox, file, info, origin, scratch, size);
    }
    const stored = sandbox.lastRead as Uint8Array | undefined;
    if (stored === undefined || !/filter/i.test(sandbox.log)) {
      sandbox.tainted = true;
      throw new Hdf5Error(
        "corrupt",
        `${info.path}: chunk at [${origin}] cannot be read: ${explainLog(sandbox.log)}`,
      );
    }
    return decodeChunk(stored, info.filters, size, chunkBytes, 0, `${info.path}, chunk at [${origin}]`);
  } finally {
    hdf5._free(scratch);
    sandbox.captureReads = false;
  }
}

/** A chunk that HDF5 can read itself; edges are padded to the full chunk. */
function readStoredChunk(
  sandbox: Sandbox,
  file: bigint,
  info: DatasetInfo,
  origin: number[],
  scratch: number,
  size: number,
): Uint8Array {
  const count = origin.map((at, axis) => Math.min(info.chunks![axis]!, info.shape![axis]! - at));
  const ones = origin.map(() => 1n);
  const { hdf5 } = sandbox;
  const status = hdf5.get_dataset_data(
    file,
    info.path,
    count.map(BigInt),
    origin.map(BigInt),
    ones,
    BigInt(scratch),
  );
  if (status < 0)
    throw new Hdf5Error("corrupt", `${info.path}: chunk at [${origin}]: ${explainLog(sandbox.log)}`);
  const chunk = new Uint8Array(elementCount(info.chunks) * size);
  const width = (count[1] ?? 1) * size;
  const stride = (info.chunks![1] ?? 1) * size;
  for (let row = 0; row < count[0]!; row++) {
    chunk.set(hdf5.HEAPU8.subarray(scratch + row * width, scratch + (row + 1) * width), row * stride);
  }
  return chunk;
}
