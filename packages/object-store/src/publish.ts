import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ObjectStoreError } from "./errors.ts";
import type { CallOptions, ObjectStore } from "./types.ts";
import { joinUri } from "./uri.ts";

/** SHA-256 of bytes or UTF-8 text, lower-case hex. */
export function sha256Hex(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

/**
 * Puts an object unless there is one: the commit of whatever may be attempted twice. Returns undefined when it was written, otherwise the
 * object that stands there, for the caller to tell its own earlier success from somebody else's.
 */
export async function putOnce(
  store: ObjectStore,
  uri: string,
  body: Uint8Array | string,
  options: CallOptions & { contentType?: string } = {},
): Promise<Uint8Array | undefined> {
  try {
    await store.put(uri, body, { ...options, ifAbsent: true });
    return undefined;
  } catch (error) {
    if (!(error instanceof ObjectStoreError) || error.tag !== "object-exists") throw error;
    return store.get(uri, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/**
 * Publishes a local folder, whose files nobody may change from then on: in the order of their names, `manifest.json` last and only if there is none. What a folder holds is visible
 * once its manifest is, so a crash anywhere leaves nothing visible or everything. Nothing is written when a manifest stands there already.
 *
 * @returns the folder's own manifest, and the one that stood there instead, if any.
 */
export async function publishFolder(
  store: ObjectStore,
  uri: string,
  localDir: string,
  options: CallOptions = {},
): Promise<{ manifest: Uint8Array; standing: Uint8Array | undefined }> {
  const manifest = await readFile(join(localDir, "manifest.json"));
  const at = joinUri(uri, "manifest.json");
  if ((await store.head(at, options)) !== undefined)
    return { manifest, standing: await store.get(at, options) };
  const names = (await readdir(localDir)).filter((name) => name !== "manifest.json").sort();
  for (const name of names)
    await store.putFile(joinUri(uri, name), join(localDir, name), { ...options, handOver: true });
  return {
    manifest,
    standing: await putOnce(store, at, manifest, { ...options, contentType: "application/json" }),
  };
}
