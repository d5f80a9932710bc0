import * as zlib from "node:zlib";
import { Hdf5Error } from "./errors.ts";

export const filterIds = { deflate: 1, shuffle: 2, fletcher32: 3, lzf: 32000, zstd: 32015 } as const;

/** What the HDF5 in h5wasm decodes by itself: deflate, shuffle, fletcher32, nbit, scale-offset. */
const builtIn = new Set([1, 2, 3, 5, 6]);
const names: Record<number, string> = {
  4: "SZIP",
  305: "LZO",
  307: "BZIP2",
  32001: "Blosc",
  32004: "LZ4",
  32008: "Bitshuffle",
  32013: "ZFP",
  32026: "Blosc2",
};

/** "native": h5wasm reads it; "raw": chunks are decoded here. Throws "unsupported", naming filter, dataset and way out. */
export function filterRoute(
  filters: readonly { id: number; name: string }[],
  where: string,
): "native" | "raw" {
  const foreign = filters.filter((filter) => !builtIn.has(filter.id));
  if (foreign.length === 0) return "native";
  const own = filters.every((filter) => canDecode(filter.id));
  if (own) return "raw";
  const bad = filters.find((filter) => !canDecode(filter.id) && !builtIn.has(filter.id)) ?? foreign[0]!;
  const name = names[bad.id] ?? (bad.name || "unknown");
  throw new Hdf5Error(
    "unsupported",
    `${where} is compressed with the filter ${name} (id ${bad.id}), which is not supported; ` +
      `save the file again with gzip, for example adata.write_h5ad(path, compression="gzip")`,
  );
}

function canDecode(id: number): boolean {
  if (id === filterIds.zstd) return typeof zlib.zstdDecompressSync === "function";
  return (
    id === filterIds.deflate ||
    id === filterIds.shuffle ||
    id === filterIds.fletcher32 ||
    id === filterIds.lzf
  );
}

/** Undoes the pipeline of one stored chunk; the result has exactly `chunkBytes` bytes. */
export function decodeChunk(
  stored: Uint8Array,
  filters: readonly { id: number }[],
  elementBytes: number,
  chunkBytes: number,
  where: string,
): Uint8Array {
  let bytes = stored;
  try {
    for (const { id } of filters.toReversed()) {
      if (id === filterIds.fletcher32) bytes = bytes.subarray(0, Math.max(0, bytes.length - 4));
      else if (id === filterIds.shuffle) bytes = unshuffle(bytes, elementBytes);
      else if (id === filterIds.lzf) bytes = decodeLzf(bytes, chunkBytes);
      else if (id === filterIds.zstd)
        bytes = zlib.zstdDecompressSync(bytes, { maxOutputLength: chunkBytes + 4 });
      else bytes = zlib.inflateSync(bytes, { maxOutputLength: chunkBytes + 4 });
    }
  } catch (cause) {
    throw new Hdf5Error("corrupt", `${where}: a compressed chunk cannot be decoded: ${String(cause)}`, {
      cause,
    });
  }
  if (bytes.length !== chunkBytes) {
    throw new Hdf5Error("corrupt", `${where}: a chunk holds ${bytes.length} bytes, expected ${chunkBytes}`);
  }
  return bytes;
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

/**
 * LZF: a control byte below 32 announces literals, any other a back reference of 3 bits length and 13 bits distance.
 * Source: the format comment of liblzf; filter id 32000 of h5py.
 */
export function decodeLzf(input: Uint8Array, maxBytes: number): Uint8Array {
  const out = new Uint8Array(maxBytes);
  let from = 0;
  let to = 0;
  while (from < input.length) {
    const control = input[from++]!;
    if (control < 32) {
      const count = control + 1;
      if (from + count > input.length || to + count > maxBytes)
        throw new RangeError("LZF: literal run beyond the end");
      out.set(input.subarray(from, from + count), to);
      from += count;
      to += count;
      continue;
    }
    let count = control >> 5;
    if (count === 7) count += input[from++] ?? 0;
    count += 2;
    const low = input[from++];
    if (low === undefined) throw new RangeError("LZF: input ends inside a back reference");
    const source = to - ((control & 31) << 8) - low - 1;
    if (source < 0 || to + count > maxBytes) throw new RangeError("LZF: back reference out of bounds");
    // Source and target may overlap: a run of one byte is written this way.
    for (let i = 0; i < count; i++) out[to + i] = out[source + i]!;
    to += count;
  }
  return out.subarray(0, to);
}
