import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ObjectStoreError } from "./errors.ts";
import { mapFsError } from "./file-errors.ts";
import type { CallOptions, ObjectInfo, ObjectStore, PutOptions } from "./types.ts";
import { parseUri } from "./uri.ts";

/** Bytes of a local file that are hashed at a time. */
const HASH_BYTES = 1024 * 1024;

/** SHA-256 of an object's bytes, as lower-case hex, streamed. Throws as `ObjectStore.stream`. */
export async function sha256Of(store: ObjectStore, uri: string, options: CallOptions = {}): Promise<string> {
  const path = store.localPath(uri);
  if (path !== undefined && (await store.head(uri, options)) !== undefined)
    return sha256OfFile(path, uri, options.signal);
  const hash = createHash("sha256");
  for await (const chunk of await store.stream(uri, options)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** The same buffer again and again: a stream that makes one for every piece takes more than twice the time. */
async function sha256OfFile(path: string, uri: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash("sha256");
  try {
    await using file = await open(path);
    const buffer = new Uint8Array(HASH_BYTES);
    for (;;) {
      if (signal?.aborted)
        throw new ObjectStoreError("cancelled", `The call for ${uri} was cancelled.`, {
          uri,
          cause: signal.reason,
        });
      const { bytesRead } = await file.read(buffer);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } catch (error) {
    throw mapFsError(error, uri) ?? error;
  }
}

export interface LocalFileOptions extends CallOptions {
  /** Where remote objects are put while `fn` runs; the system's temporary folder when not given. */
  tmpDir?: string | undefined;
}

/**
 * Runs `fn` with a local path holding the object: the file itself for `file://` (do not write to it), a temporary
 * copy with the same base name otherwise, removed when `fn` ends in any way. Throws `object-not-found`.
 */
export async function withLocalFile<T>(
  store: ObjectStore,
  uri: string,
  fn: (path: string) => Promise<T>,
  options: LocalFileOptions = {},
): Promise<T> {
  const inPlace = store.localPath(uri);
  if (inPlace !== undefined) {
    if ((await store.head(uri, options)) === undefined) {
      throw new ObjectStoreError("object-not-found", `There is no file at ${uri}.`, { uri });
    }
    return fn(inPlace);
  }
  const folder = await mkdtemp(join(options.tmpDir ?? tmpdir(), "cytomesh-object-"));
  try {
    const path = join(folder, localName(parseUri(uri).key));
    await store.download(uri, path, options);
    return await fn(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Runs `fn` with local paths holding the objects, in their order: the files themselves when all are `file://`, temporary copies otherwise,
 * removed when `fn` ends in any way. Throws `object-not-found`.
 */
export async function withLocalFiles<T>(
  store: ObjectStore,
  uris: readonly string[],
  fn: (paths: string[]) => Promise<T>,
  options: LocalFileOptions = {},
): Promise<T> {
  const inPlace = uris.map((uri) => store.localPath(uri));
  if (inPlace.every((path) => path !== undefined)) return fn(inPlace);
  const folder = await mkdtemp(join(options.tmpDir ?? tmpdir(), "cytomesh-objects-"));
  try {
    const paths: string[] = [];
    for (const [i, uri] of uris.entries()) {
      const path = join(folder, `${i}-${localName(parseUri(uri).key)}`);
      await store.download(uri, path, options);
      paths.push(path);
    }
    return await fn(paths);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

// Readers look at the extension, so keep the name, within what a file system takes.
function localName(key: string): string {
  const name = key.slice(key.lastIndexOf("/") + 1);
  const usable = name !== "" && name !== "." && name !== ".." && Buffer.byteLength(name) <= 200;
  return usable ? name : `object${/\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? ""}`;
}

export interface PutJsonOptions extends PutOptions {
  /** Spaces per level; 2 when not given, 0 for one line. */
  indent?: number | undefined;
}

/** Writes a value as JSON with a final newline. Throws as `ObjectStore.put`, and `TypeError` for what JSON cannot hold. */
export async function putJson(
  store: ObjectStore,
  uri: string,
  value: unknown,
  options: PutJsonOptions = {},
): Promise<ObjectInfo> {
  const { indent = 2, ...put } = options;
  const text: string | undefined = JSON.stringify(value, undefined, indent);
  if (text === undefined) throw new TypeError(`JSON cannot hold a ${typeof value}, asked to write ${uri}.`);
  return store.put(uri, `${text}\n`, { contentType: "application/json", ...put });
}

export interface GetJsonOptions extends CallOptions {
  /** Default 64 MiB. */
  maxBytes?: number | undefined;
}

const MAX_JSON_BYTES = 64 * 1024 * 1024;

/**
 * Reads a JSON object; `parse` (a zod schema's `.parse`, say) turns the unknown value into a typed one and its error
 * passes as it is. Throws `object-not-found`, `object-too-large`, `invalid-json`.
 */
export async function getJson(store: ObjectStore, uri: string, options?: GetJsonOptions): Promise<unknown>;
export async function getJson<T>(
  store: ObjectStore,
  uri: string,
  options: GetJsonOptions & { parse: (value: unknown) => T },
): Promise<T>;
export async function getJson<T>(
  store: ObjectStore,
  uri: string,
  options: GetJsonOptions & { parse?: (value: unknown) => T } = {},
): Promise<unknown> {
  const { parse, maxBytes = MAX_JSON_BYTES, signal } = options;
  const bytes = await store.get(uri, { maxBytes, signal });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const message = `${uri} (${bytes.length} bytes) is not UTF-8 JSON: ${(cause as Error).message}`;
    throw new ObjectStoreError("invalid-json", message, { uri, cause });
  }
  return parse === undefined ? value : parse(value);
}
