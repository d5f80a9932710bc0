import * as zlib from "node:zlib";
import { Hdf5Error } from "./errors.ts";

export const filterIds = { deflate: 1, shuffle: 2, fletcher32: 3, lzf: 32000, zstd: 32015 } as const;

/** What the HDF5 in h5wasm decodes: deflate, shuffle, fletcher32, nbit, scale-offset. */
const inFallback = new Set([1, 2, 3, 5, 6]);
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

/**
 * Who decodes chunks with these filters: the codecs here, or the fallback.
 *
 * @throws Hdf5Error "unsupported", naming filter, dataset and way out
 */
export function filterRoute(
  filters: readonly { id: number; name: string }[],
  where: string,
): "here" | "fallback" {
  const foreign = filters.find(({ id }) => !canDecode(id));
  if (foreign === undefined) return "here";
  if (filters.every(({ id }) => inFallback.has(id))) return "fallback";
  const bad = filters.find(({ id }) => !canDecode(id) && !inFallback.has(id)) ?? foreign;
  throw unsupportedFilter(bad, where);
}

/** @throws Hdf5Error "unsupported" unless the HDF5 in h5wasm decodes all of them */
export function checkFallbackFilters(filters: readonly { id: number; name: string }[], where: string): void {
  const bad = filters.find(({ id }) => !inFallback.has(id));
  if (bad !== undefined) throw unsupportedFilter(bad, where);
}

function unsupportedFilter({ id, name }: { id: number; name: string }, where: string): Hdf5Error {
  return new Hdf5Error(
    "unsupported",
    `${where} is compressed with the filter ${names[id] ?? (name || "unknown")} (id ${id}), which is not supported; ` +
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
