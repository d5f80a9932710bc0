import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { ObjectStoreError } from "./errors.ts";
import { sweepTemps } from "./file-atomic.ts";
import type { ObjectStore } from "./types.ts";
import { joinUri } from "./uri.ts";

/**
 * Local copies of folders in the store, for readers that need paths. A `file://` folder is used in place; a remote one is downloaded once
 * and kept, which is safe because ingests and curricula never change once their manifest exists. Processes may share a cache: every file
 * is written whole or not at all and never taken away, so that one that was interrupted is gone on with.
 */
export interface LocalCopies {
  /** Path of the folder. `files` narrows what is downloaded; unset: everything below the folder. */
  folder(
    uri: string,
    key: string,
    options: { signal: AbortSignal; files?: readonly string[] },
  ): Promise<string>;
}

/** A download with those who wait for it. */
interface Download {
  readonly path: Promise<string>;
  readonly controller: AbortController;
  waiting: number;
}

/** Keep local copies below `cacheDir`. */
export function createLocalCopies(store: ObjectStore, cacheDir: string): LocalCopies {
  const underWay = new Map<string, Download>();
  return {
    async folder(uri, key, { signal, files }) {
      const local = store.localPath(uri);
      if (local !== undefined) return local;
      const target = join(cacheDir, key);
      const id = JSON.stringify([target, files]);
      // One download for all who ask; whoever gives up leaves it to the others, and the last one ends it.
      let download = underWay.get(id);
      if (download === undefined) {
        const controller = new AbortController();
        const path = fetchFolder(store, uri, target, files, controller.signal).finally(() => {
          if (underWay.get(id) === download) underWay.delete(id);
        });
        path.catch(() => undefined);
        download = { path, controller, waiting: 0 };
        underWay.set(id, download);
      }
      download.waiting += 1;
      try {
        return await unlessAborted(download.path, signal);
      } finally {
        download.waiting -= 1;
        if (download.waiting === 0) {
          underWay.delete(id);
          download.controller.abort(new Error("nobody waits for this download any more"));
        }
      }
    },
  };
}

async function fetchFolder(
  store: ObjectStore,
  uri: string,
  target: string,
  files: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<string> {
  const marker = join(target, ".complete");
  if (await exists(marker)) return target;
  await sweepTemps(target);
  const prefix = `${uri.replace(/\/$/, "")}/`;
  const names: string[] = [];
  if (files !== undefined) names.push(...files);
  else for await (const { uri: one } of store.list(prefix, { signal })) names.push(one.slice(prefix.length));
  for (const name of names) {
    const path = join(target, name);
    if (relative(target, path).startsWith(".."))
      throw new ObjectStoreError("invalid-uri", `${prefix}${name} lies outside of its folder.`, { uri });
    if (await exists(path)) continue;
    await mkdir(dirname(path), { recursive: true });
    await store.download(joinUri(prefix, name), path, { signal });
  }
  if (files === undefined) {
    await mkdir(target, { recursive: true });
    await writeFile(marker, "");
  }
  return target;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
