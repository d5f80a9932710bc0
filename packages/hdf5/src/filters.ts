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
