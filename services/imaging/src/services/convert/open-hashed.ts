import { createHash } from "node:crypto";
import {
  MicroscopyError,
  type MicroscopyImage,
  openImage,
  openImageBytes,
  type SeriesInfo,
} from "@cytomesh/microscopy";
import { type ObjectStore, sha256Hex, sha256Of } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits } from "../../schemas/convert.ts";
import { giveBack, takeBytes } from "./spare-memory.ts";

/** Files up to this size are fetched whole, with one request, and hashed as they are decoded; larger ones are read plane by plane. */
export const wholeBelowBytes = 128 * 1024 * 1024;

/**
 * An image, its first series, the SHA-256 of its file, and the bytes of that which it holds in memory.
 *
 * @throws ImagingError `wrong-axes`, `file-changed`; MicroscopyError, also `truncated`; errors of the store.
 */
export async function openWithHash(
  store: ObjectStore,
  uri: string,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<{ image: MicroscopyImage; series: SeriesInfo; sha256: string; heldBytes: number }> {
  const { image, sha256, heldBytes } = await openAndHash(store, uri, limits, signal);
  const series = image.info.series[0];
  // Fewer planes than there were would be projected, or taken for all channels.
  const cut = image.info.cutOff;
  if (series !== undefined && cut === undefined) return { image, series, sha256, heldBytes };
  await image[Symbol.asyncDispose]();
  if (cut === undefined)
    throw new ImagingError("wrong-axes", `${uri}: expected an image, found none in the file`);
  throw new MicroscopyError("truncated", `${uri}: expected the whole file, found that ${cut}`);
}

async function openAndHash(store: ObjectStore, uri: string, limits: ReadLimits, signal: AbortSignal) {
  const options = {
    signal,
    limits: { maxPlaneBytes: limits.maxPixels * 8 * 4, maxSamples: limits.maxChannels },
  };
  const head = await store.head(uri, { signal });
  if (head === undefined) {
    const sha256 = await hashOfFolder(store, uri, signal);
    return { image: await openImage(uri, { ...options, store }), sha256, heldBytes: 0 };
  }
  if (head.size <= wholeBelowBytes) {
    const bytes = (await store.get(uri, { signal, room: takeBytes })) as Uint8Array<ArrayBuffer>;
    const sha256 = sha256Hex(bytes);
    const image = await openAlone(bytes, uri, options);
    // An image of several files needs the others too; the bytes of this one are hashed all the same.
    if (image !== undefined && !image.info.needsOtherFiles)
      return { image: givingBack(image, bytes), sha256, heldBytes: bytes.length };
    await image?.[Symbol.asyncDispose]();
    return { image: await openImage(uri, { ...options, store }), sha256, heldBytes: 0 };
  }
  const sha256 = await sha256Of(store, uri, { signal });
  const image = await openImage(uri, { ...options, store });
  try {
    if ((await store.head(uri, { signal }))?.etag !== head.etag)
      throw new ImagingError(
        "file-changed",
        `${uri} changed while it was read; convert it again once it is complete`,
      );
    return { image, sha256, heldBytes: 0 };
  } catch (error) {
    await image[Symbol.asyncDispose]();
    throw error;
  }
}

/** The image, whose file's bytes serve others once it is disposed of: planes are copies. */
function givingBack(image: MicroscopyImage, bytes: Uint8Array<ArrayBuffer>): MicroscopyImage {
  return {
    info: image.info,
    plane: image.plane,
    async [Symbol.asyncDispose]() {
      await image[Symbol.asyncDispose]();
      giveBack(bytes);
    },
  };
}

/** Undefined for what only points to the files with the pixels. */
async function openAlone(
  bytes: Uint8Array<ArrayBuffer>,
  uri: string,
  options: Parameters<typeof openImageBytes>[2],
): Promise<MicroscopyImage | undefined> {
  try {
    return await openImageBytes(bytes, uri, options);
  } catch (error) {
    if (error instanceof MicroscopyError && error.tag === "missing-file") return undefined;
    throw error;
  }
}

/** The SHA-256 that `openWithHash` finds, without reading the image. */
export async function hashOfSource(store: ObjectStore, uri: string, signal: AbortSignal): Promise<string> {
  const head = await store.head(uri, { signal });
  return head === undefined ? hashOfFolder(store, uri, signal) : sha256Of(store, uri, { signal });
}

async function hashOfFolder(store: ObjectStore, uri: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const root = `${uri.replace(/\/+$/, "")}/`;
  for await (const object of store.list(root, { signal }))
    hash.update(`${object.uri.slice(root.length)} ${object.size}\n`);
  return hash.digest("hex");
}
