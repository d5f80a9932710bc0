import type { ImagingDeps } from "./deps.ts";
import type { ImageReport } from "./describe-image.ts";
import { fieldAround } from "./inputs/fields.ts";

/**
 * See `describeImage`; it runs in a worker thread.
 *
 * @param channelPattern the image is a channel of a field, see `fieldAround`; empty: it is one on its own.
 */
export async function inspectField(
  deps: ImagingDeps,
  uri: string,
  channelPattern: string,
  signal: AbortSignal,
): Promise<ImageReport> {
  const { limits, storeSettings: store } = deps;
  const source =
    channelPattern === ""
      ? { uri }
      : await fieldAround(deps.store, uri, channelPattern, limits.maxChannels, signal);
  return deps.pool.run<ImageReport>("describe", { source, limits, store }, { signal });
}
