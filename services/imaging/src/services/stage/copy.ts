import { createHash } from "node:crypto";
import { joinUri, type ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { StagedFile } from "../../schemas/stage.ts";
import { inLanes } from "../jobs/shards.ts";

/** What was copied. */
export type Copied = Pick<StagedFile, "bytes" | "sha256">;

/** Objects of an OME-Zarr image at the same time. */
const lanesPerFolder = 8;

/**
 * Copy a file, or an OME-Zarr image, which is a folder: every object below it, and the SHA-256 is that of the lines `<sha256>  <path>\n` (as
 * `sha256sum` writes them) of its objects in byte order.
 *
 * @throws ImagingError `file-changed`; errors of the store.
 */
export async function copyImage(
  store: ObjectStore,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<Copied> {
  const folder = /\.zarr\/?$/.test(from) && (await store.head(from, { signal })) === undefined;
  return (
    (folder ? await copyFolder(store, from, to, signal) : undefined) ?? copyFile(store, from, to, signal)
  );
}

/** Undefined where there is none. */
async function copyFolder(
  store: ObjectStore,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<Copied | undefined> {
  const root = `${from.replace(/\/+$/, "")}/`;
  const objects = await Array.fromAsync(store.list(root, { signal }), ({ uri }) => uri);
  if (objects.length === 0) return undefined;
  const hash = createHash("sha256");
  let bytes = 0;
  const copies = await inLanes(objects.length, lanesPerFolder, async (i) => {
    const uri = objects[i] as string;
    const path = pathOf(uri, uri.slice(root.length));
    return { path, ...(await copyFile(store, uri, joinUri(to, ...path.split("/")), signal)) };
  });
  for (const copy of copies) {
    hash.update(`${copy.sha256}  ${copy.path}\n`);
    bytes += copy.bytes;
  }
  return { bytes, sha256: hash.digest("hex") };
}

/** Part of a URI as names: those of files are encoded. */
export function pathOf(uri: string, part: string): string {
  return uri.startsWith("file:") ? decodeURIComponent(part) : part;
}

async function copyFile(store: ObjectStore, from: string, to: string, signal: AbortSignal): Promise<Copied> {
  const hash = createHash("sha256");
  let bytes = 0;
  const source = await store.stream(from, { signal });
  const body = async function* () {
    for await (const chunk of source) {
      const part = chunk as Uint8Array;
      hash.update(part);
      bytes += part.length;
      yield part;
    }
  };
  const { size } = await store.put(to, body(), { signal });
  if (size !== bytes)
    throw new ImagingError("file-changed", `${from}: ${bytes} bytes were read, ${to} has ${size}`);
  return { bytes, sha256: hash.digest("hex") };
}
