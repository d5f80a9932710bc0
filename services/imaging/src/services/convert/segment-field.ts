import {
  filterInstances,
  type Segmentation,
  SegmentationError,
  type Segmenter,
  segmentationFromLabels,
  segmentClassical,
} from "@cytomesh/segmentation";
import type { TaskContext } from "@cytomesh/service-kit/task";
import { ImagingError } from "../../errors.ts";
import type { ConvertOptions } from "../../schemas/options.ts";
import type { Raster } from "./crop.ts";
import type { LabelImage } from "./open-labels.ts";
import { giveBack, takeLabels } from "./spare-memory.ts";

/** The nuclei of a field: all that were found, and those that get crops. */
export interface SegmentedField {
  /** Unfiltered: also debris and nuclei cut off by the edge, which are neighbours all the same. */
  readonly all: Segmentation;
  /** Numbered 1 to n. */
  readonly kept: Segmentation;
}

/** Label images and models of a segmentation, opened for one field. */
export interface SegmentationTools {
  /** Label image of the field. */
  labels?(): Promise<LabelImage>;
  /** A model that was loaded before. */
  readonly segmenter?: Segmenter;
}

/**
 * Find the nuclei of a field and leave out small ones and, by the rule, those at the edge.
 *
 * @throws ImagingError `constant-image`, `too-small`, `labels-differ`, `unsupported-pixels`; SegmentationError.
 */
export async function segmentField(
  nucleus: Raster,
  options: ConvertOptions,
  minAreaPx: number,
  tools: SegmentationTools,
  uri: string,
  context: TaskContext,
): Promise<SegmentedField> {
  const { width, height, data } = nucleus;
  const method = options.segmentation?.method;
  if (method !== "labels" && (options.recipe !== "generic" || method === "stardist"))
    refuseConstant(data, uri);
  if (options.recipe === "opencell") refuseSmall(nucleus, options, uri);
  const all = await find(nucleus, minAreaPx, tools, uri, context);
  const kept = filterInstances(
    all,
    { minAreaPx, clearBorder: options.border === "drop" },
    takeLabels(all.labels.length),
  );
  if (kept.width !== width || kept.height !== height)
    throw new Error(`${uri}: segmented as ${kept.height} × ${kept.width}, the field is ${height} × ${width}`);
  return { all, kept };
}

async function find(
  nucleus: Raster,
  minAreaPx: number,
  tools: SegmentationTools,
  uri: string,
  context: TaskContext,
): Promise<Segmentation> {
  const { width, height, data } = nucleus;
  if (tools.segmenter !== undefined) return tools.segmenter.segment(data, width, height, context);
  if (tools.labels === undefined)
    return segmentClassical(data, width, height, { fillHolesBelowPx: minAreaPx }, context);
  const labels = await tools.labels();
  if (labels.width !== width || labels.height !== height)
    throw new ImagingError(
      "labels-differ",
      `${labels.uri}: expected labels of ${height} × ${width} as ${uri} has, found ${labels.height} × ${labels.width}`,
    );
  try {
    return await segmentationFromLabels(labels.data, width, height, context, takeLabels(width * height));
  } catch (error) {
    if (!(error instanceof SegmentationError) || error.tag !== "invalid_image") throw error;
    throw new ImagingError("unsupported-pixels", `${labels.uri}: ${error.message}`, { cause: error });
  } finally {
    giveBack(labels.data);
  }
}

/** The published pipeline predicts by blocks, and has no answer for a field that is smaller than one. */
function refuseSmall(nucleus: Raster, options: ConvertOptions, uri: string): void {
  const { segmentation } = options;
  if (segmentation?.method !== "stardist") return;
  if (Math.min(nucleus.width, nucleus.height) < segmentation.blockSize)
    throw new ImagingError(
      "too-small",
      `${uri}: expected sides of at least ${segmentation.blockSize} px, a block of the segmentation, found ${nucleus.height} × ${nucleus.width}; set a smaller block_size`,
    );
}

function refuseConstant(pixels: Uint16Array, uri: string): void {
  const first = pixels[0];
  if (pixels.every((value) => value === first))
    throw new ImagingError(
      "constant-image",
      `${uri}: expected a nucleus channel with a range to normalise by, found ${first} in every pixel`,
    );
}
