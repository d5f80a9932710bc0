import * as fs from "node:fs";
import { fromSystemError, ZarrError } from "./errors.ts";
import { openHierarchy } from "./meta/hierarchy.ts";
import { normalPath } from "./meta/path.ts";
import { consolidatedChildren, nodeAt, onlyNodes, readValues } from "./read/reader.ts";
import { runSync } from "./read/requests.ts";
import { ShardIndexCache } from "./read/shard-index.ts";
import { folderStore } from "./store/folder-store.ts";
import { zipStore } from "./store/zip-store.ts";
import type { ReadOptions, SyncStore, ZarrReader } from "./types.ts";
import { openZip } from "./zip/zip.ts";

export const defaultMaxBytes = 1024 ** 3;

/**
 * Opens a zarr hierarchy, v2 or v3, in a folder or a zip file (a path, or the bytes of a zip). Consolidated metadata is used where it
 * is there and then believed.
 *
 * @throws ZarrError "file-not-found" | "permission-denied" | "not-zarr" | "not-zip" | "corrupt" | "unsupported" | "refused-path" | "too-large"
 */
export function openZarr(source: string | Uint8Array, options: ReadOptions = {}): ZarrReader {
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  const path = typeof source === "string" ? source : "(bytes)";
  return openStore(localStore(source, maxBytes), path, maxBytes);
}

function localStore(source: string | Uint8Array, maxBytes: number): SyncStore {
  // Compressed bytes may be a little longer than what they hold.
  const stored = maxBytes + 1024 * 1024;
  if (typeof source !== "string") return zipStore(openZip(source, { maxBytes: stored }));
  try {
    if (fs.statSync(source).isDirectory()) return folderStore(source, stored);
  } catch (error) {
    throw fromSystemError(error, source, "read");
  }
  return zipStore(openZip(source, { maxBytes: stored }));
}

/** The same over any synchronous store. */
export function openStore(store: SyncStore, name: string, maxBytes: number = defaultMaxBytes): ZarrReader {
  try {
    const tree = runSync(openHierarchy(name), store);
    const context = { maxBytes, shardIndexes: new ShardIndexCache() };
    let open = true;
    const usable = () => {
      if (!open) throw new ZarrError("closed", `${name} is closed`);
    };
    const close = () => {
      if (open) store.close();
      open = false;
    };
    return {
      path: name,
      format: tree.format,
      node(path) {
        usable();
        return runSync(nodeAt(tree, path), store);
      },
      children(path) {
        usable();
        const known = consolidatedChildren(tree, path);
        if (known !== undefined) return known;
        const folder = normalPath(path);
        if (runSync(nodeAt(tree, path), store)?.kind !== "group") return [];
        return runSync(onlyNodes(tree, path, store.list(folder === "" ? "" : `${folder}/`)), store);
      },
      read(path, region) {
        usable();
        return runSync(readValues(tree, path, region, context), store);
      },
      close,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    store.close();
    throw error;
  }
}
