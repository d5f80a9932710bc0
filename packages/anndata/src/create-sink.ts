import { createH5Sink } from "./h5-sink.ts";
import type { Sink, SinkOptions, StorageFormat } from "./storage.ts";
import { createZarrSink } from "./zarr-sink.ts";

/** How each format is written. */
const sinks: Record<StorageFormat, (path: string, options: SinkOptions) => Sink> = {
  h5ad: createH5Sink,
  zarr: createZarrSink,
};

/** What a file of this name is expected to be. */
export function formatOf(path: string): StorageFormat {
  return /\.zarr(\.zip)?\/?$/.test(path) ? "zarr" : "h5ad";
}

/**
 * @param format default: by the name
 * @throws AnnDataError "permission-denied" | "write-failed" | "invalid-argument"
 */
export function createSink(
  path: string,
  format: StorageFormat = formatOf(path),
  options: SinkOptions = {},
): Sink {
  return sinks[format](path, options);
}
