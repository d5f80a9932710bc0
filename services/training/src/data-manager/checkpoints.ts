import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { storeLayout } from "@cytomesh/service-kit";

/** Statistics of shards, kept in the store while a job runs so that another attempt goes on from them. */
export interface Checkpoints {
  /** Fetch one to a local path; false when there is none. */
  fetch(name: string, path: string): Promise<boolean>;
  /** Keep a local file. */
  put(name: string, path: string): Promise<void>;
  /** Remove them all: the model is registered. */
  clear(): Promise<void>;
}

/** Checkpoints of one job. */
export function jobCheckpoints(
  store: ObjectStore,
  storeUri: string,
  jobId: string,
  signal: AbortSignal,
): Checkpoints {
  const root = storeLayout(storeUri).scratch(jobId);
  return {
    async fetch(name, path) {
      const uri = joinUri(root, name);
      if ((await store.head(uri, { signal })) === undefined) return false;
      await store.download(uri, path, { signal });
      return true;
    },
    async put(name, path) {
      await store.putFile(joinUri(root, name), path, { signal });
    },
    async clear() {
      const uris: string[] = [];
      for await (const { uri } of store.list(`${root}/`)) uris.push(uri);
      for (const uri of uris) await store.delete(uri);
    },
  };
}
