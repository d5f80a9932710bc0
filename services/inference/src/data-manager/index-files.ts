import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { manifestName, publishedManifest, publishManifest } from "./publish.ts";

/**
 * Publish the files of an index: data first, the manifest last and only if there is none.
 *
 * @returns SHA-256 of the manifest.
 * @throws InferenceError `index-exists` when another index has the name.
 */
export async function publishIndex(
  store: ObjectStore,
  uri: string,
  localDir: string,
  signal: AbortSignal,
): Promise<string> {
  const manifest = await readFile(join(localDir, manifestName), "utf8");
  // What is visible is not written again, not even with the same bytes: somebody may be reading it.
  if ((await publishedManifest(store, uri, signal)) === undefined) {
    const names = (await readdir(localDir)).filter((name) => name !== manifestName).sort();
    for (const name of names) await store.putFile(joinUri(uri, name), join(localDir, name), { signal });
  }
  return publishManifest(store, uri, manifest, "index-exists", signal);
}
