import type { ImagingDeps } from "./deps.ts";
import type { ImageReport } from "./describe-image.ts";

/** See `describeImage`; it runs in a worker thread. */
export function inspectField(deps: ImagingDeps, uri: string, signal: AbortSignal): Promise<ImageReport> {
  const { limits, storeSettings: store } = deps;
  return deps.pool.run<ImageReport>("describe", { uri, limits, store }, { signal });
}
