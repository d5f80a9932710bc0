import { isDeepStrictEqual } from "node:util";
import { joinUri, type ObjectStore, publishFolder, sha256Hex } from "@cytomesh/object-store";
import { IngestError } from "../errors.ts";

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
  const { manifest, standing } = await publishFolder(store, uri, localDir, { signal });
  return standing === undefined
    ? sha256Hex(manifest)
    : adopt(joinUri(uri, "manifest.json"), standing, manifest);
}

function adopt(at: string, theirs: Uint8Array, mine: Uint8Array): string {
  if (isDeepStrictEqual(identityOf(theirs), identityOf(mine))) return sha256Hex(theirs);
  throw new IngestError(
    "manifest-conflict",
    `${at} is the manifest of another ingest (SHA-256 ${sha256Hex(theirs)}, this one has ${sha256Hex(mine)}); the same content must give the same files, so report this`,
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
