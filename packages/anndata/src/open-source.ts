import { openH5Source } from "./h5-source.ts";
import type { Source } from "./storage.ts";

/**
 * Opens what stands at the path, recognised by its content and not by its name.
 *
 * @throws AnnDataError "file-not-found" | "permission-denied" | "not-hdf5" | "truncated" | "corrupt"
 */
export async function openSource(path: string, maxBytes: number): Promise<Source> {
  return openH5Source(path, maxBytes);
}
