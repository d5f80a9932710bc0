import type { PixelArray, PlaneRequest } from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../../errors.ts";
import type { ReadLimits } from "../../schemas/convert.ts";
import { openWithHash } from "./open-hashed.ts";
import { takePlane } from "./spare-memory.ts";

/** A label image of the caller. */
export interface LabelImage {
  readonly uri: string;
  /** Of the file, as of a field. */
  readonly sha256: string;
  readonly width: number;
  readonly height: number;
  /** As stored, of whatever type; 16 bits in memory that is lent: see `giveBack`. */
  readonly data: PixelArray;
}

/**
 * Read the labels of a field: of any depth, as they are stored. A palette only colours them; of a stack every pixel has the largest of its
 * labels.
 *
 * @throws ImagingError `wrong-axes` for several channels, time points or samples, `too-large`, `file-changed`. MicroscopyError, errors of
 *   the store.
 */
export async function openLabels(
  store: ObjectStore,
  uri: string,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<LabelImage> {
  const { image, series, sha256 } = await openWithHash(store, uri, limits, signal);
  await using _ = image;
  const { t, c, z, y, x, samples } = series.sizes;
  if (samples > 1 || c * t > 1)
    throw new ImagingError(
      "wrong-axes",
      `${uri}: expected one label per pixel, found ${samples > 1 ? `${samples} samples (a picture of labels, not labels?)` : `${c} channels and ${t} time points`} (axes ${series.axes})`,
    );
  if (x * y > limits.maxPixels)
    throw new ImagingError(
      "too-large",
      `${uri}: expected at most ${limits.maxPixels} pixels, found ${y} × ${x}; CYTOMESH_MAX_FIELD_PIXELS sets the limit`,
    );
  const into = series.pixelType === "uint16" ? takePlane(x * y) : undefined;
  const read = (request: PlaneRequest, room?: PixelArray) => image.plane(request, { signal, into: room });
  // Without a palette and inversion: labels are numbers, not brightness.
  const { data } = await read({}, into);
  for (let depth = 1; depth < z; depth++) keepLarger(data, (await read({ z: depth })).data);
  return { uri, sha256, width: x, height: y, data };
}

function keepLarger(into: PixelArray, other: PixelArray): void {
  // Both are of one type, whose values compare with each other.
  const [a, b] = [into as Uint32Array, other as Uint32Array];
  for (let i = 0; i < a.length; i++) if ((b[i] as number) > (a[i] as number)) a[i] = b[i] as number;
}
