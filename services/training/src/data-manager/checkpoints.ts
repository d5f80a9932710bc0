import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { storeLayout } from "@cytomesh/service-kit";

/** Statistics of shards, kept in the store while a job runs so that another attempt goes on from them. */
export interface Checkpoints {
  get(name: string): Promise<Uint8Array | undefined>;
  put(name: string, bytes: Uint8Array): Promise<void>;
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
    async get(name) {
      const uri = joinUri(root, name);
      return (await store.head(uri, { signal })) === undefined ? undefined : store.get(uri, { signal });
    },
    async put(name, bytes) {
      await store.put(joinUri(root, name), bytes, { signal });
    },
    async clear() {
      const uris: string[] = [];
      for await (const { uri } of store.list(`${root}/`)) uris.push(uri);
      for (const uri of uris) await store.delete(uri);
    },
  };
}
