import { unpackedGzip } from "./bytes/gzip.ts";
import { bytesSource, type SourceOpener, sourceOpener } from "./bytes/source.ts";
import { MicroscopyError } from "./errors.ts";
import { withDefaults } from "./limits.ts";
import { namesZarr, openOmeZarr } from "./ome-zarr.ts";
import { openRaster } from "./raster.ts";
import { openCompanion, openTiffImage } from "./tiff/tiff-image.ts";
import type { ByteSource, MicroscopyImage, OpenOptions, ReadLimits } from "./types.ts";

/**
 * Opens a TIFF (also OME-TIFF, ImageJ, BigTIFF), an OME-Zarr group, a PNG or a JPEG, by its content (OME-Zarr by
 * `.zarr` in its name), the files also packed as `.gz`. `uri`: `file://`, `s3://`, `gs://`, or
 * a local path where no store is given.
 *
 * @throws MicroscopyError `not-found`, `permission-denied`, `not-an-image`, `corrupt`, `truncated`, `unsupported`, `too-large`,
 *   `invalid-metadata`; errors of the store as they are.
 */
export async function openImage(uri: string, options: OpenOptions = {}): Promise<MicroscopyImage> {
  if (namesZarr(uri)) return openOmeZarr(uri, withDefaults(options.limits), options);
  const opener = sourceOpener(options.store);
  const source = await opener(uri, options.signal);
  return openSource(source, opener, withDefaults(options.limits), options.signal);
}

/** The same of bytes in memory; `uri` is what errors name. Files beside it cannot be found. */
export async function openImageBytes(
  bytes: Uint8Array<ArrayBuffer>,
  uri: string,
  options: Omit<OpenOptions, "store"> = {},
): Promise<MicroscopyImage> {
  const alone: SourceOpener = async (other) => {
    throw new MicroscopyError("not-found", `${other}: ${uri} is in memory, nothing lies beside it`);
  };
  return openSource(bytesSource(bytes, uri), alone, withDefaults(options.limits), options.signal);
}

async function openSource(
  source: ByteSource,
  opener: SourceOpener,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<MicroscopyImage> {
  try {
    const inner = await unpackedGzip(source, limits, signal);
    if (inner !== undefined) {
      await source[Symbol.asyncDispose]();
      return await openPlain(inner, opener, limits, signal);
    }
    return await openPlain(source, opener, limits, signal);
  } catch (error) {
    await source[Symbol.asyncDispose]();
    throw error;
  }
}

async function openPlain(
  source: ByteSource,
  opener: SourceOpener,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<MicroscopyImage> {
  const image =
    (await openTiffImage(source, opener, limits, signal)) ??
    (await openRaster(source, limits, signal)) ??
    (await openCompanion(source, opener, limits, signal));
  if (image === undefined)
    throw new MicroscopyError(
      "not-an-image",
      `${source.uri}: expected a TIFF, PNG, JPEG or OME-Zarr group, found ${source.size} bytes of something else`,
    );
  return owning(image, source);
}

/** The image, which closes its source when it is disposed of, and is refused afterwards. */
function owning(image: MicroscopyImage, source: ByteSource): MicroscopyImage {
  let closed = false;
  return {
    info: image.info,
    async plane(request, options) {
      if (closed) throw new MicroscopyError("closed", `${source.uri}: read after it was closed`);
      return image.plane(request, options);
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      await image[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}
