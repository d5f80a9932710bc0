import { AnnDataError } from "./errors.ts";
import type { AnnData, OpenOptions } from "./types.ts";

/** Opens an .h5ad file for reading. Only the wasm module's first load is asynchronous; everything after is synchronous. */
export async function openAnnData(path: string, options: OpenOptions = {}): Promise<AnnData> {
  throw new AnnDataError("unsupported", `openAnnData is being written (${path}, ${options.maxBytes})`);
}
