import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ObjectStoreError } from "./errors.ts";
import { type LocalFileOptions, sha256Of, withLocalFile } from "./helpers.ts";
import type { CallOptions, ObjectStore } from "./types.ts";
import { parseUri } from "./uri.ts";

/** A zarr hierarchy of small chunks has many; more than this is a mistake in the URI. */
const maxObjects = 1_000_000;

interface Leaf {
  uri: string;
  /** Path below the folder, with `/`. */
  name: string;
}

/**
 * SHA-256 of what stands at a URI, as lower-case hex: of the bytes of an object, or, of a folder (zarr, a Matrix Market triple), of the
 * names and hashes of everything below it. Throws `object-not-found` when nothing is there.
 */
export async function sha256OfSource(
  store: ObjectStore,
  uri: string,
  options: CallOptions = {},
): Promise<string> {
  if ((await store.head(plain(uri), options)) !== undefined) return sha256Of(store, plain(uri), options);
  const hash = createHash("sha256");
  for (const leaf of await leavesOf(store, uri, options))
    hash.update(`${leaf.name}\0${await sha256Of(store, leaf.uri, options)}\n`);
  return hash.digest("hex");
}

/** A store whose clock is this coarse, in ms, could give two versions the same time. */
const clockMs = 2_000;

/**
 * What changes when the object at a URI is replaced; reading it costs next to nothing. undefined where only the content tells: of a folder,
 * and of an object so young that it could be replaced within one tick of its store's clock.
 */
export async function stampOfSource(
  store: ObjectStore,
  uri: string,
  options: CallOptions = {},
): Promise<string | undefined> {
  const info = await store.head(plain(uri), options);
  if (info === undefined || info.etag === "") return undefined;
  if (Date.now() - info.lastModified.getTime() < clockMs) return undefined;
  return `${info.etag} ${info.size} ${info.lastModified.getTime()}`;
}

/**
 * Runs `fn` with a local path holding an object or a folder: itself for `file://` (do not write to it), a temporary copy with the same base name
 * otherwise, removed when `fn` ends in any way. Throws `object-not-found`.
 */
export async function withLocalSource<T>(
  store: ObjectStore,
  uri: string,
  fn: (path: string) => Promise<T>,
  options: LocalFileOptions = {},
): Promise<T> {
  if ((await store.head(plain(uri), options)) !== undefined)
    return withLocalFile(store, plain(uri), fn, options);
  const leaves = await leavesOf(store, uri, options);
  const inPlace = store.localPath(plain(uri));
  if (inPlace !== undefined) return fn(inPlace);
  const folder = await mkdtemp(join(options.tmpDir ?? tmpdir(), "cytomesh-tree-"));
  try {
    const root = join(folder, basename(parseUri(plain(uri)).key) || "root");
    for (const leaf of leaves) await store.download(leaf.uri, join(root, leaf.name), options);
    return await fn(root);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Everything below a folder, in byte order. */
async function leavesOf(store: ObjectStore, uri: string, options: CallOptions): Promise<Leaf[]> {
  const folder = `${plain(uri)}/`;
  const start = parseUri(folder).key.length;
  const leaves: Leaf[] = [];
  for await (const { uri: found } of store.list(folder, options)) {
    const name = parseUri(found).key.slice(start);
    // A console makes empty objects with such names so that folders show.
    if (name === "" || name.endsWith("/")) continue;
    if (name.split("/").some((part) => part === "" || part === "." || part === ".."))
      throw new ObjectStoreError(
        "invalid-uri",
        `${found} cannot be copied to a folder: its name has an empty, "." or ".." part.`,
        {
          uri: found,
        },
      );
    if (leaves.length === maxObjects)
      throw new ObjectStoreError("object-too-large", `${uri} has more than ${maxObjects} objects below it.`, {
        uri,
      });
    leaves.push({ uri: found, name });
  }
  if (leaves.length === 0)
    throw new ObjectStoreError("object-not-found", `There is no object at ${uri}, and none below it.`, {
      uri,
    });
  return leaves;
}

const plain = (uri: string) => uri.replace(/(?<=[^/])\/+$/, "");
