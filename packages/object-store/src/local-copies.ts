import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ObjectStore } from "./types.ts";
import { joinUri } from "./uri.ts";

/**
 * Local copies of folders in the store, for readers that need paths. A `file://` folder is used in place; a remote one is downloaded once
 * and kept, which is safe because ingests and curricula never change once their manifest exists.
 */
export interface LocalCopies {
  /** Path of the folder. `files` narrows what is downloaded; unset: everything below the folder. */
  folder(
    uri: string,
    key: string,
    options: { signal: AbortSignal; files?: readonly string[] },
  ): Promise<string>;
}

/** Keep local copies below `cacheDir`. */
export function createLocalCopies(store: ObjectStore, cacheDir: string): LocalCopies {
  const underWay = new Map<string, Promise<string>>();
  return {
    folder(uri, key, options) {
      const local = store.localPath(uri);
      if (local !== undefined) return Promise.resolve(local);
      const target = join(cacheDir, key);
      // One download for all who ask; whoever gives up stops waiting and leaves it to the others.
      let running = underWay.get(target);
      if (running === undefined) {
        running = fetchFolder(store, uri, target, options.files).finally(() => underWay.delete(target));
        running.catch(() => undefined);
        underWay.set(target, running);
      }
      return unlessAborted(running, options.signal);
    },
  };
}

async function fetchFolder(
  store: ObjectStore,
  uri: string,
  target: string,
  files: readonly string[] | undefined,
): Promise<string> {
  const marker = join(target, ".complete");
  if (await exists(marker)) return target;
  const partial = `${target}.partial-${process.pid}`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  const prefix = `${uri.replace(/\/$/, "")}/`;
  const names: string[] = [];
  if (files !== undefined) names.push(...files);
  else for await (const { uri: one } of store.list(prefix)) names.push(one.slice(prefix.length));
  for (const name of names) {
    const path = join(partial, name);
    await mkdir(dirname(path), { recursive: true });
    await store.download(joinUri(prefix, name), path);
  }
  await mkdir(dirname(target), { recursive: true });
  await rm(target, { recursive: true, force: true });
  await rename(partial, target);
  await (await open(marker, "w")).close();
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
