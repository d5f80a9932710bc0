import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runIsolated } from "@cytomesh/anndata";
import { type ObjectInfo, type ObjectStore, ObjectStoreError } from "@cytomesh/object-store";
import { AnalysisError } from "../errors.ts";

/** A file on the local disk while it is used. */
export interface AnalysisFile {
  readonly path: string;
  /** Changes whenever the content does. */
  readonly version: string;
}

/** The files that tasks read: in place for `file://`, kept copies of remote ones. */
export interface AnalysisFiles {
  /** Have a file while `fn` runs. Throws what the store throws, and AnnDataError for a file that cannot be read. */
  use<T>(uri: string, signal: AbortSignal, fn: (file: AnalysisFile) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Options of {@link createAnalysisFiles}. */
export interface AnalysisFilesOptions {
  readonly store: ObjectStore;
  /** Folder below which the copies of this process are kept; those of dead processes are removed. */
  readonly tempDir: string;
  /** Size of all copies; the least recently used go first. A larger file is copied and removed after use. */
  readonly cacheBytes: number;
  /** How long a file may keep the reader busy the first time before it counts as hostile. */
  readonly readerTimeoutMs: number;
}

interface Copy {
  readonly path: string;
  readonly size: number;
  readonly ready: Promise<unknown>;
  users: number;
}

const prefix = "files-";

/** Files vetted and remembered at most. */
const maxVetted = 10_000;

/** Create the cache. A version of a file is vetted once, in a thread of its own that a hostile file can only take down with itself. */
export async function createAnalysisFiles(options: AnalysisFilesOptions): Promise<AnalysisFiles> {
  const { store, tempDir, cacheBytes, readerTimeoutMs } = options;
  await removeLeftovers(tempDir);
  const cacheDir = await mkdtemp(join(tempDir, `${prefix}${process.pid}-`));
  /** In order of use, the latest last. */
  const copies = new Map<string, Copy>();
  const vetted = new Set<string>();

  const vet = async (file: AnalysisFile, signal: AbortSignal) => {
    const key = `${file.path}\n${file.version}`;
    if (vetted.has(key)) return;
    await runIsolated(file.path, "inspect", { timeoutMs: readerTimeoutMs, signal });
    vetted.add(key);
    for (const old of vetted) {
      if (vetted.size <= maxVetted) break;
      vetted.delete(old);
    }
  };

  const evict = async () => {
    let total = 0;
    for (const copy of copies.values()) total += copy.size;
    for (const [key, copy] of copies) {
      if (total <= cacheBytes) return;
      if (copy.users > 0) continue;
      copies.delete(key);
      total -= copy.size;
      await rm(copy.path, { force: true });
    }
  };

  const copyOf = (info: ObjectInfo): [string, Copy] => {
    const key = createHash("sha256").update(`${info.uri}\n${info.etag}\n${info.size}`).digest("hex");
    const path = join(cacheDir, `${key}.h5ad`);
    // Not under the caller's signal: others may wait for the same copy.
    const copy = copies.get(key) ?? {
      path,
      size: info.size,
      ready: store.download(info.uri, path),
      users: 0,
    };
    copies.delete(key);
    copies.set(key, copy);
    return [key, copy];
  };

  return {
    async use(uri, signal, fn) {
      const info = await store.head(uri, { signal });
      if (info === undefined)
        throw new ObjectStoreError("object-not-found", `there is no file at ${uri}`, { uri });
      const local = store.localPath(uri);
      const version = `${info.etag}:${info.size}`;
      if (local !== undefined) {
        const file = { path: local, version };
        await vet(file, signal);
        const result = await fn(file);
        const after = await store.head(uri, { signal });
        if (after?.etag !== info.etag)
          throw new AnalysisError(
            "file-changed",
            `${uri} changed while it was read; ask again once it is complete`,
          );
        return result;
      }
      const [key, copy] = copyOf(info);
      copy.users += 1;
      try {
        await orAborted(copy.ready, signal).catch((error) => {
          if (!signal.aborted) copies.delete(key);
          throw error;
        });
        await vet({ path: copy.path, version }, signal);
        return await fn({ path: copy.path, version });
      } finally {
        copy.users -= 1;
        await evict();
      }
    },
    async close() {
      await Promise.allSettled([...copies.values()].map((copy) => copy.ready));
      copies.clear();
      await rm(cacheDir, { recursive: true, force: true });
    },
  };
}

async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A process that was killed leaves its copies behind; its number is in the name of their folder. */
async function removeLeftovers(tempDir: string): Promise<void> {
  for (const name of await readdir(tempDir)) {
    const pid = name.startsWith(prefix) ? Number(name.slice(prefix.length).split("-")[0]) : Number.NaN;
    if (Number.isInteger(pid) && !isAlive(pid))
      await rm(join(tempDir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
