import { joinUri, type ObjectStore, putOnce, sha256Hex } from "@cytomesh/object-store";
import { InferenceError } from "../errors.ts";

/** What a folder is made from; decides who may write into it. */
export type Source = Readonly<Record<string, string | readonly string[]>>;

const sourceName = "source.json";

/** The last file of every folder. What is there before it is not visible. */
export const manifestName = "manifest.json";

/**
 * Claim a folder for what it is made from. Another attempt at the same finds its own claim; anything else under the name is refused before
 * a single file is written, so that two makers never mix their files.
 *
 * @throws InferenceError `tag` when the folder belongs to something else.
 */
export async function claimFolder(
  store: ObjectStore,
  uri: string,
  source: Source,
  tag: "embedding-exists" | "index-exists",
  signal: AbortSignal,
): Promise<void> {
  const text = `${JSON.stringify(source, undefined, 2)}\n`;
  const found = await putText(store, joinUri(uri, sourceName), text, signal);
  if (found !== undefined && found !== text)
    throw new InferenceError(
      tag,
      `${uri} already belongs to something made from ${oneLine(found)}, this is made from ${oneLine(text)}; choose another name`,
    );
}

/**
 * Put the manifest, last and only if there is none. The same content is fine.
 *
 * @returns SHA-256 of the manifest.
 * @throws InferenceError `tag` when another manifest is there.
 */
export async function publishManifest(
  store: ObjectStore,
  uri: string,
  text: string,
  tag: "embedding-exists" | "index-exists",
  signal: AbortSignal,
): Promise<string> {
  const found = await putText(store, joinUri(uri, manifestName), text, signal);
  if (found !== undefined && found !== text)
    throw new InferenceError(
      tag,
      `${uri} already holds other content (manifest ${sha256Hex(found).slice(0, 12)}, this gives ${sha256Hex(text).slice(0, 12)}); choose another name`,
    );
  return sha256Hex(text);
}

/** The manifest of a folder that is complete. */
export async function publishedManifest(
  store: ObjectStore,
  uri: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const at = joinUri(uri, manifestName);
  if ((await store.head(at, { signal })) === undefined) return undefined;
  return Buffer.from(await store.get(at, { signal })).toString("utf8");
}

/** Put text unless there is some; returns what stands there instead. */
async function putText(
  store: ObjectStore,
  uri: string,
  text: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const standing = await putOnce(store, uri, text, { contentType: "application/json", signal });
  return standing === undefined ? undefined : Buffer.from(standing).toString("utf8");
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 400);
}
