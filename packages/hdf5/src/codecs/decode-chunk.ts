import * as zlib from "node:zlib";
import { Hdf5Error } from "../errors.ts";
import { filterIds } from "../filters.ts";
import { decodeLzf } from "./lzf.ts";

/**
 * Undoes the filter pipeline of one stored chunk.
 *
 * @param filters in the order in which they were applied when writing
 * @param elementBytes what shuffle works on: bytes of one element as it lies in the file
 * @param chunkBytes size of a whole chunk; edge chunks are stored whole
 * @param filterMask bit k set: filter k was left out for this chunk (LZF does so with what it cannot shrink)
 * @param where names dataset and chunk in errors
 * @param into takes the bytes, exactly `chunkBytes`; without it a new array is made
 * @throws Hdf5Error "corrupt" when it cannot be decoded, fails its checksum or has another size than `chunkBytes`
 */
export function decodeChunk(
  stored: Uint8Array,
  filters: readonly { id: number }[],
  elementBytes: number,
  chunkBytes: number,
  filterMask: number,
  where: string,
  into?: Uint8Array,
): Uint8Array {
  let bytes = stored;
  try {
    for (let k = filters.length - 1; k >= 0; k--) {
      if ((filterMask & (1 << k)) !== 0) continue;
      const { id } = filters[k]!;
      if (id === filterIds.fletcher32) bytes = bytes.subarray(0, Math.max(0, bytes.length - 4));
      else if (id === filterIds.shuffle) bytes = unshuffle(bytes, elementBytes);
      else if (id === filterIds.lzf) bytes = decodeLzf(bytes, chunkBytes);
      else if (id === filterIds.zstd)
        bytes = zlib.zstdDecompressSync(bytes, { maxOutputLength: chunkBytes + 4 });
      else bytes = zlib.inflateSync(bytes, { maxOutputLength: chunkBytes + 4, chunkSize: chunkBytes + 64 });
    }
  } catch (cause) {
    throw new Hdf5Error("corrupt", `${where}: a compressed chunk cannot be decoded: ${String(cause)}`, {
      cause,
    });
  }
  if (bytes.length !== chunkBytes) {
    throw new Hdf5Error("corrupt", `${where}: a chunk holds ${bytes.length} bytes, expected ${chunkBytes}`);
  }
  if (into === undefined) return bytes;
  into.set(bytes);
  return into;
}

/** Byte k of every element stands together on disk; bytes beyond the last whole element stay in place. */
function unshuffle(bytes: Uint8Array, elementBytes: number): Uint8Array {
  const count = Math.floor(bytes.length / elementBytes);
  const out = bytes.slice();
  for (let k = 0; k < elementBytes; k++) {
    for (let i = 0; i < count; i++) out[i * elementBytes + k] = bytes[k * count + i]!;
  }
  return out;
}
