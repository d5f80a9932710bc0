import { createBlockReader } from "../bytes/blocks.ts";
import type { SourceOpener } from "../bytes/source.ts";
import { MicroscopyError } from "../errors.ts";
import { regionOf, resolveRequest } from "../request.ts";
import type { ByteSource, ImageInfo, MicroscopyImage, ReadLimits } from "../types.ts";
import { genericSeries } from "./generic-series.ts";
import { openTiffFile } from "./ifd.ts";
import { imageJSeries } from "./imagej.ts";
import { companionSeries, omeSeries } from "./ome-tiff.ts";
import { createPages } from "./pages.ts";
import { readRegion } from "./read-region.ts";
import { createSegmentCache } from "./segment-cache.ts";
import type { SeriesSource } from "./series.ts";

/** Undefined when the source is not a TIFF. Disposing of the image does not dispose of the source. */
export async function openTiffImage(
  source: ByteSource,
  opener: SourceOpener,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<MicroscopyImage | undefined> {
  const file = await openTiffFile(createBlockReader(source), limits, signal);
  if (file === undefined) return undefined;
  const pages = createPages(file);
  if ((await pages.at(0, signal)) === undefined)
    throw new MicroscopyError("corrupt", `${source.uri}: a TIFF without a page`);
  const warnings: string[] = [];
  const ome = await omeSeries({ file, pages }, opener, limits, warnings, signal);
  const imageJ = ome === undefined ? await imageJSeries(file, pages, warnings, signal) : undefined;
  const format = ome !== undefined ? "ome-tiff" : imageJ !== undefined ? "imagej-tiff" : "tiff";
  const series =
    ome ?? (imageJ !== undefined ? [imageJ] : await genericSeries(file, pages, warnings, signal));
  // Of OME-TIFF every missing plane is an error of its own; the others have the planes that their directories lead to.
  const cutOff = ome !== undefined ? undefined : (imageJ ?? { cutOff: pages.warnings[0] }).cutOff;
  return imageOf(source.uri, format, series, [...pages.warnings, ...warnings], limits, cutOff);
}

/** Undefined when the source is not an OME companion file. */
export async function openCompanion(
  source: ByteSource,
  opener: SourceOpener,
  limits: ReadLimits,
  signal: AbortSignal | undefined,
): Promise<MicroscopyImage | undefined> {
  const warnings: string[] = [];
  const series = await companionSeries(source, opener, limits, warnings, signal);
  return series && imageOf(source.uri, "ome-tiff", series, warnings, limits);
}

function imageOf(
  uri: string,
  format: ImageInfo["format"],
  series: readonly SeriesSource[],
  warnings: readonly string[],
  limits: ReadLimits,
  cutOff?: string,
): MicroscopyImage {
  const info: ImageInfo = {
    uri,
    format,
    series: series.map(({ info: one }, index) => ({ index, ...one })),
    needsOtherFiles: series.some(({ otherFiles }) => otherFiles === true),
    ...(cutOff !== undefined && { cutOff }),
    warnings,
  };
  const cache = createSegmentCache(limits.cacheBytes);
  return {
    info,
    async plane(request = {}, options = {}) {
      const at = resolveRequest(info, request);
      const page = await series[at.series]!.page(at, options.signal);
      return readRegion(page, regionOf(at, page.layout, uri), cache, options);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
