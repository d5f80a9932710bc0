import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { type GeneList, isParsedOnOpen, parseGeneList } from "@cytomesh/anndata";
import { type ObjectStore, withLocalSource } from "@cytomesh/object-store";
import type { TaskPool } from "@cytomesh/service-kit";
import { IngestError } from "../errors.ts";

/** Bytes of the file of a list of genes. */
const maxListBytes = 64 * 1024 * 1024;

/**
 * Runs `fn` with a local path that any thread can open quickly: the file or folder itself, a copy of a remote one, or, for formats of text, an
 * `.h5ad` made of it once, so that not every thread parses it again.
 */
export async function withReadableSource<T>(
  deps: { store: ObjectStore; tempDir: string; pool: TaskPool },
  uri: string,
  signal: AbortSignal,
  fn: (path: string) => Promise<T>,
): Promise<T> {
  return withLocalSource(
    deps.store,
    uri,
    async (path) => {
      if (!isParsedOnOpen(path)) return fn(path);
      const folder = await mkdtemp(join(deps.tempDir, "parsed-"));
      try {
        const copy = join(folder, "parsed.h5ad");
        await deps.pool.run("parse", { path, copy, tempDir: folder }, { signal });
        return await fn(copy);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    { signal, tmpDir: deps.tempDir },
  );
}

/**
 * The lists of feature ids at these URIs, maybe gzipped, each named after its file.
 *
 * @throws IngestError `bad-gene-list`; whatever the store throws
 */
export async function readGeneLists(
  store: ObjectStore,
  uris: readonly string[],
  signal: AbortSignal,
): Promise<GeneList[]> {
  const lists: GeneList[] = [];
  for (const uri of uris) {
    const name = uri.slice(uri.lastIndexOf("/") + 1);
    const bytes = await store.get(uri, { signal, maxBytes: maxListBytes });
    try {
      lists.push(parseGeneList(name, bytes));
    } catch (cause) {
      throw new IngestError(
        "bad-gene-list",
        `${uri} is no list of feature ids: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
  return lists;
}
