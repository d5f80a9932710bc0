import { openH5, readParallel } from "@cytomesh/hdf5";
import { asAnnDataError, typed } from "./source.ts";
import type { Source } from "./storage.ts";

/** Header, link and name of an object take more. */
const leastObjectBytes = 64;

/**
 * An HDF5 file as a source; every call throws AnnDataError.
 *
 * @throws AnnDataError
 */
export async function openH5Source(path: string, maxBytes: number): Promise<Source> {
  const reader = await openH5(path, { maxBytes });
  return {
    format: "h5ad",
    path: reader.path,
    mostObjects: Math.ceil(reader.sizeBytes / leastObjectBytes),
    kind: (where) => typed(() => reader.kind(where)),
    realPath: (where) => typed(() => reader.realPath(where)),
    children: (where) => typed(() => reader.children(where)),
    attributeNames: (where) => typed(() => reader.attributeNames(where)),
    attribute: (where, name) => typed(() => reader.attribute(where, name)),
    dataset: (where) => typed(() => reader.dataset(where)),
    read: (info, start, end, into) =>
      typed(() => reader.read(reader.dataset(info.path), start, end, undefined, into)),
    readParallel: async (info, start, end, options) => {
      try {
        return await readParallel(reader, info.path, { ...options, start, end });
      } catch (error) {
        throw asAnnDataError(error);
      }
    },
    close: () => typed(() => reader.close()),
  };
}
