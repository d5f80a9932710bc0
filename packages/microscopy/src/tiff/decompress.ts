import { constants, inflateSync, zstdDecompressSync } from "node:zlib";
import { MicroscopyError } from "../errors.ts";
import { padded, reach } from "../kernels/instantiate.ts";
import { tiffKernels } from "../kernels/tiff-kernels.ts";
import { DEFLATE, LZW, OLD_DEFLATE, PACKBITS, ZSTD } from "./compressions.ts";

/** Table of the LZW kernel. */
const LZW_TABLE = 4096 * 8;

/**
 * The bytes of a segment, decompressed, at most `capacity` of them; fewer when the data end early. They may lie in the memory of the
 * kernels: the next call overwrites them.
 *
 * @throws MicroscopyError `corrupt`.
 */
export function decompress(
  compression: number,
  raw: Uint8Array<ArrayBuffer>,
  capacity: number,
  where: string,
): Uint8Array<ArrayBuffer> {
  switch (compression) {
    case LZW:
    case PACKBITS:
      return byKernel(compression, raw, capacity, where);
    case DEFLATE:
    case OLD_DEFLATE:
      return inflate(raw, capacity, where);
    case ZSTD:
      return unzstd(raw, capacity, where);
    default:
      return raw.subarray(0, capacity);
  }
}

function byKernel(
  compression: number,
  raw: Uint8Array<ArrayBuffer>,
  capacity: number,
  where: string,
): Uint8Array<ArrayBuffer> {
  const kernels = tiffKernels();
  const table = kernels.heapBase();
  const from = table + LZW_TABLE;
  const to = from + padded(raw.length);
  reach(kernels.memory, to + padded(capacity));
  new Uint8Array(kernels.memory.buffer).set(raw, from);
  const written =
    compression === LZW
      ? kernels.lzw(from, raw.length, to, capacity, table, isOldLzw(raw) ? 1 : 0)
      : kernels.packBits(from, raw.length, to, capacity);
  if (written < 0)
    throw new MicroscopyError("corrupt", `${where}: LZW data with a code that was never defined`);
  return new Uint8Array(kernels.memory.buffer, to, written);
}

/** A clear code in the old bit order begins with a zero byte and an odd one (libtiff's test). */
function isOldLzw(raw: Uint8Array): boolean {
  return raw.length > 1 && raw[0] === 0 && (raw[1]! & 1) === 1;
}

/** The kernel takes what is as it should be; zlib looks at the rest and knows what is wrong with it. */
function inflate(raw: Uint8Array<ArrayBuffer>, capacity: number, where: string): Uint8Array<ArrayBuffer> {
  const kernels = tiffKernels();
  const from = kernels.heapBase();
  const to = from + padded(raw.length);
  reach(kernels.memory, to + padded(capacity));
  new Uint8Array(kernels.memory.buffer).set(raw, from);
  const written = kernels.inflate(from, raw.length, to, capacity);
  if (written === capacity) return new Uint8Array(kernels.memory.buffer, to, written);
  try {
    // One chunk for all: zlib's wrapper would otherwise join pieces of 16 KiB. Z_SYNC_FLUSH gives what there is of cut data.
    return inflateSync(raw, {
      chunkSize: Math.max(64, capacity + 1),
      maxOutputLength: capacity + 1,
      finishFlush: constants.Z_SYNC_FLUSH,
    }).subarray(0, capacity) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE")
      return inflateLonger(raw, capacity, where);
    throw new MicroscopyError("corrupt", `${where}: damaged deflate data (${(error as Error).message})`, {
      cause: error,
    });
  }
}

/** Data that hold more than they should: some writers fill up the last strip, or rows. Up to a full segment more, then refused. */
function inflateLonger(
  raw: Uint8Array<ArrayBuffer>,
  capacity: number,
  where: string,
): Uint8Array<ArrayBuffer> {
  try {
    return inflateSync(raw, {
      maxOutputLength: longest(capacity),
      finishFlush: constants.Z_SYNC_FLUSH,
    }).subarray(0, capacity) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    throw new MicroscopyError("corrupt", `${where}: deflate data of far more than ${capacity} bytes`, {
      cause: error,
    });
  }
}

/** As `inflate` takes them: more than there should be is cut off. */
function unzstd(raw: Uint8Array<ArrayBuffer>, capacity: number, where: string): Uint8Array<ArrayBuffer> {
  try {
    // A byte more than there can be: a chunk that is full makes the wrapper find memory for another.
    return zstdDecompressSync(raw, {
      chunkSize: Math.max(64, capacity + 1),
      maxOutputLength: longest(capacity),
    }).subarray(0, capacity) as Uint8Array<ArrayBuffer>;
  } catch (error) {
    const problem =
      (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE"
        ? `zstd data of far more than ${capacity} bytes`
        : `damaged zstd data (${(error as Error).message})`;
    throw new MicroscopyError("corrupt", `${where}: ${problem}`, { cause: error });
  }
}

/** What a segment of `capacity` bytes may be packed as. */
function longest(capacity: number): number {
  return capacity * 2 + 65_536;
}
