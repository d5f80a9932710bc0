import { AnnDataError } from "./errors.ts";
import { createH5Sink } from "./h5-sink.ts";
import type { Sink, SinkOptions, StorageFormat } from "./storage.ts";

/** How each format is written. */
const sinks: Partial<Record<StorageFormat, (path: string, options: SinkOptions) => Sink>> = {
  h5ad: createH5Sink,
};

/** @throws AnnDataError "permission-denied" | "write-failed" | "invalid-argument" | "unsupported" */
export function createSink(path: string, format: StorageFormat, options: SinkOptions = {}): Sink {
  const create = sinks[format];
  if (create === undefined) throw new AnnDataError("unsupported", `${path}: ${format} cannot be written`);
  return create(path, options);
}
