import { type LocalCopies, parseUri } from "@cytomesh/object-store";
import type { LocalResource } from "../schemas/resources.ts";

/** A file of the store as a path, kept by its checksum: in place for `file://`, fetched once otherwise. */
export async function localFile(
  copies: LocalCopies,
  kind: "models" | "ontologies",
  { name, uri, sha256 }: { name: string; uri: string; sha256: string },
  signal: AbortSignal,
): Promise<LocalResource> {
  // The key, as only file:// URIs are percent-encoded.
  const { key } = parseUri(uri);
  const file = key.slice(key.lastIndexOf("/") + 1);
  const dir = await copies.folder(uri.slice(0, uri.lastIndexOf("/")), `${kind}/${sha256}`, {
    signal,
    files: [file],
  });
  return { name, path: `${dir}/${file}`, sha256 };
}

/** An index of the store as a folder, kept by the checksum of its manifest: a rebuilt one is another folder. */
export async function localIndex(
  copies: LocalCopies,
  { name, uri, manifestSha256 }: { name: string; uri: string; manifestSha256: string },
  signal: AbortSignal,
): Promise<LocalResource> {
  const path = await copies.folder(uri, `indexes/${manifestSha256}`, { signal });
  return { name, path, sha256: manifestSha256 };
}
