import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { IngestError } from "../errors.ts";

const manifestName = "manifest.json";

/**
 * Publish the files of an ingest: data first, the manifest last and only if there is none. An ingest is visible once its manifest exists,
 * so a crash anywhere leaves either nothing visible or everything.
 *
 * @returns SHA-256 of the manifest, lower-case hex.
 * @throws IngestError `manifest-conflict` when a different manifest is already there.
 */
export async function publishIngest(
  store: ObjectStore,
  uri: string,
  localDir: string,
  signal: AbortSignal,
): Promise<string> {
  const manifest = await readFile(join(localDir, manifestName));
  const sha256 = createHash("sha256").update(manifest).digest("hex");
  const existing = await publishedManifest(store, uri);
  if (existing !== undefined) return requireSame(uri, sha256, existing);
  const names = (await readdir(localDir)).filter((name) => name !== manifestName).sort();
  for (const name of names) await store.putFile(joinUri(uri, name), join(localDir, name), { signal });
  try {
    await store.put(joinUri(uri, manifestName), manifest, {
      ifAbsent: true,
      contentType: "application/json",
      signal,
    });
    return sha256;
  } catch (error) {
    if ((error as { tag?: string }).tag !== "object-exists") throw error;
    return requireSame(uri, sha256, await publishedManifest(store, uri));
  }
}

/** SHA-256 of the manifest that is visible, if any. */
export async function publishedManifest(store: ObjectStore, uri: string): Promise<string | undefined> {
  if ((await store.head(joinUri(uri, manifestName))) === undefined) return undefined;
  const bytes = await store.get(joinUri(uri, manifestName));
  return createHash("sha256").update(bytes).digest("hex");
}

function requireSame(uri: string, mine: string, theirs: string | undefined): string {
  if (mine === theirs) return mine;
  throw new IngestError(
    "manifest-conflict",
    `${uri} already holds an ingest whose manifest has SHA-256 ${theirs}, this one has ${mine}; the same content must give the same files, so report this`,
  );
}
