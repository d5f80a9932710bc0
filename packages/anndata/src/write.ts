import { AnnDataError } from "./errors.ts";
import type { H5adInput, WriteOptions } from "./types.ts";

/** Writes an .h5ad file under a temporary name and renames it. Byte-identical for identical input. */
export async function writeH5ad(path: string, input: H5adInput, options: WriteOptions = {}): Promise<void> {
  throw new AnnDataError(
    "unsupported",
    `writeH5ad is being written (${path}, ${input.obs.index.length}, ${options.level})`,
  );
}
