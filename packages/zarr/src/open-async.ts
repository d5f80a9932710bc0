import { ZarrError } from "./errors.ts";
import { openHierarchy } from "./meta/hierarchy.ts";
import { normalPath } from "./meta/path.ts";
import { defaultMaxBytes } from "./open.ts";
import { consolidatedChildren, nodeAt, onlyNodes, readValues } from "./read/reader.ts";
import { runAsync } from "./read/requests.ts";
import { ShardIndexCache } from "./read/shard-index.ts";
import type { AsyncStore, AsyncZarrReader, ReadOptions } from "./types.ts";

/**
 * Opens a zarr hierarchy behind `get(key, range)`, for example in an object store. A read fetches only the chunks of its region, of
 * shards only their index and the ranges it needs, up to 16 requests at a time. What `get` throws is thrown on.
 *
 * @param name for error messages
 * @throws ZarrError "not-zarr" | "corrupt" | "unsupported" | "too-large"
 */
export async function openZarrAsync(
  store: AsyncStore,
  name: string,
  options: ReadOptions = {},
): Promise<AsyncZarrReader> {
  const tree = await runAsync(openHierarchy(name), store);
  const context = { maxBytes: options.maxBytes ?? defaultMaxBytes, shardIndexes: new ShardIndexCache() };
  return {
    format: tree.format,
    node: (path) => runAsync(nodeAt(tree, path), store),
    async children(path) {
      const known = consolidatedChildren(tree, path);
      if (known !== undefined) return known;
      if (store.list === undefined) {
        throw new ZarrError(
          "unsupported",
          `${name}: its metadata is not consolidated and the store cannot list`,
        );
      }
      const node = await runAsync(nodeAt(tree, path), store);
      if (node?.kind !== "group") return [];
      const folder = normalPath(path);
      const names = await store.list(folder === "" ? "" : `${folder}/`);
      return runAsync(onlyNodes(tree, path, names), store);
    },
    read: (path, region, { signal } = {}) => runAsync(readValues(tree, path, region, context), store, signal),
  };
}
