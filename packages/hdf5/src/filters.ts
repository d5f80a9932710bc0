import { Hdf5Error } from "./errors.ts";

/** What the codecs here decode. */
export const filterIds = {
  deflate: 1,
  shuffle: 2,
  fletcher32: 3,
  lzf: 32000,
  blosc: 32001,
  lz4: 32004,
  bitshuffle: 32008,
  zstd: 32015,
} as const;

const here: ReadonlySet<number> = new Set(Object.values(filterIds));

/** What the HDF5 in h5wasm decodes: deflate, shuffle, fletcher32, nbit, scale-offset. */
const inFallback = new Set([1, 2, 3, 5, 6]);
const names: Record<number, string> = {
  4: "SZIP",
  305: "LZO",
  307: "BZIP2",
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
  const foreign = filters.find(({ id }) => !here.has(id));
  if (foreign === undefined) return "here";
  if (filters.every(({ id }) => inFallback.has(id))) return "fallback";
  const bad = filters.find(({ id }) => !here.has(id) && !inFallback.has(id)) ?? foreign;
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
