import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ImageSeriesSchema,
  InspectFieldResponseSchema,
} from "@cytomesh/contracts/imaging/v1/imaging_service";
import { openImage, type SeriesInfo } from "@cytomesh/microscopy";
import type { ObjectStore } from "@cytomesh/object-store";
import { ImagingError } from "../errors.ts";
import type { ReadLimits } from "../schemas/convert.ts";
import { openJoined } from "./convert/open-joined.ts";
import type { FieldSource } from "./inputs/fields.ts";

/** What an image holds, as the contract has it. */
export type ImageReport = MessageInitShape<typeof InspectFieldResponseSchema>;

/**
 * Describe an image, or a field of several files. A pixel of every series is decoded too, so that what this answers can also be read.
 *
 * @throws ImagingError `wrong-axes`, and as `openJoined`; MicroscopyError, errors of the store.
 */
export async function describeImage(
  store: ObjectStore,
  source: FieldSource,
  limits: ReadLimits,
  signal: AbortSignal,
): Promise<ImageReport> {
  const { uri } = source;
  await using image =
    source.channels === undefined
      ? await openImage(uri, { store, signal, limits: { maxPlaneBytes: limits.maxPixels * 8 * 4 } })
      : (await openJoined(store, source, limits, signal)).image;
  const { series, format } = image.info;
  const first = series[0];
  if (first === undefined)
    throw new ImagingError("wrong-axes", `${uri}: expected an image, found none in the file`);
  for (const { index } of series)
    await image.plane({ series: index, region: { x: 0, y: 0, width: 1, height: 1 } }, { signal });
  const { x, y, t, c, z, samples } = first.sizes;
  return {
    width: x,
    height: y,
    pages: t * c * z,
    samples,
    pixelType: first.pixelType,
    format: format.endsWith("tiff") ? "tiff" : format,
    series: series.map(seriesReport),
  };
}

function seriesReport(series: SeriesInfo): MessageInitShape<typeof ImageSeriesSchema> {
  const { sizes, pixelSizeUm } = series;
  const names = series.channels.map(({ name }) => name ?? "");
  return {
    name: series.name ?? "",
    width: sizes.x,
    height: sizes.y,
    sizeZ: sizes.z,
    sizeC: sizes.c,
    sizeT: sizes.t,
    axes: series.axes,
    pixelType: series.pixelType,
    channelNames: names.some((name) => name !== "") ? names : [],
    umPerPxX: pixelSizeUm?.x ?? 0,
    umPerPxY: pixelSizeUm?.y ?? 0,
    umPerPxZ: pixelSizeUm?.z ?? 0,
    levels: series.levels.map(({ width, height }) => ({ width, height })),
  };
}
