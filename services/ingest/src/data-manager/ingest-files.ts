import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { IngestError } from "../errors.ts";

const manifestName = "manifest.json";

/**
 * Publish the files of an ingest: data first, the manifest last and only if there is none. An ingest is visible once its manifest exists,
 * so a crash anywhere leaves either nothing visible or everything. A manifest of the same ingest that is there already stays, although the
 * source may have had another name then, or another release wrote it.
 *
 * @returns SHA-256 of the manifest that is visible, lower-case hex.
 * @throws IngestError `manifest-conflict` when the manifest of another ingest is there.
 */
export async function publishIngest(
  store: ObjectStore,
  uri: string,
  localDir: string,
  signal: AbortSignal,
): Promise<string> {
  const manifest = await readFile(join(localDir, manifestName));
  const at = joinUri(uri, manifestName);
  if ((await store.head(at, { signal })) !== undefined) return adopt(store, at, manifest, signal);
  const names = (await readdir(localDir)).filter((name) => name !== manifestName).sort();
  for (const name of names) await store.putFile(joinUri(uri, name), join(localDir, name), { signal });
  try {
    await store.put(at, manifest, { ifAbsent: true, contentType: "application/json", signal });
    return sha256(manifest);
  } catch (error) {
    if ((error as { tag?: string }).tag !== "object-exists") throw error;
    return adopt(store, at, manifest, signal);
  }
}

async function adopt(store: ObjectStore, at: string, mine: Uint8Array, signal: AbortSignal): Promise<string> {
  const theirs = await store.get(at, { signal });
  if (isDeepStrictEqual(identityOf(theirs), identityOf(mine))) return sha256(theirs);
  throw new IngestError(
    "manifest-conflict",
    `${at} is the manifest of another ingest (SHA-256 ${sha256(theirs)}, this one has ${sha256(mine)}); the same content must give the same files, so report this`,
  );
}

/** What a manifest says about the ingest itself: all but what its source was called and how its files came out. */
function identityOf(manifest: Uint8Array): unknown {
  const {
    source,
    files: _files,
    createdBy: _createdBy,
    ...rest
  } = JSON.parse(Buffer.from(manifest).toString("utf8")) as {
    source: object;
    files: unknown;
    createdBy: unknown;
  };
  return { ...rest, source: { ...source, sourceName: "" } };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
