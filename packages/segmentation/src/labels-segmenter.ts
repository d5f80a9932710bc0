import { SegmentationError } from "./errors.ts";
import { checkImage, pause } from "./image.ts";
import { measure } from "./labels.ts";
import type { LabelPixels, Segmentation, SegmentContext, Segmenter } from "./types.ts";

/**
 * A label image made elsewhere, as a segmentation: labels become 1 to n in ascending order, and `sourceLabel` says what they were. Any type of
 * pixel is taken whose values are whole numbers from 0 up.
 *
 * @param into takes the labels.
 * @throws SegmentationError `invalid_image` for negative or broken labels or a size that does not fit, `cancelled`
 */
export async function segmentationFromLabels(
  image: LabelPixels,
  width: number,
  height: number,
  context: SegmentContext = {},
  into: Int32Array = new Int32Array(width * height),
): Promise<Segmentation> {
  checkImage(image, width, height);
  const order = sortedLabels(image);
  await pause(context);
  const slots = new Map<number | bigint, number>(order.map((label, i) => [label, i + 1]));
  const labels = into;
  let last: number | bigint = 0;
  let slot = 0;
  for (let i = 0; i < image.length; i++) {
    const label = image[i] as number | bigint;
    if (label !== last) {
      last = label;
      slot = slots.get(label) ?? 0;
    }
    labels[i] = slot;
  }
  await pause(context);
  const instances = measure(labels, width, height, order.length).map((one, i) => ({
    ...one,
    sourceLabel: order[i] as number | bigint,
  }));
  return { width, height, labels, instances, provenance: { method: "labels" }, warnings: [] };
}

/** Takes the labels of the caller: what it is given as pixels is the label image. See `segmentationFromLabels`. */
export function createLabelsSegmenter(): Segmenter {
  return {
    method: "labels",
    segment: (image, width, height, context) => segmentationFromLabels(image, width, height, context),
    close: async () => undefined,
  };
}

/** Labels other than the background, ascending. */
function sortedLabels(image: LabelPixels): (number | bigint)[] {
  const seen = new Set<number | bigint>();
  // A number from the start: compared with undefined once, every pixel takes several times as long.
  let last: number | bigint = 0;
  for (let i = 0; i < image.length; i++) {
    const label = image[i] as number | bigint;
    if (label === last) continue;
    last = label;
    if (label < 0 || (typeof label === "number" && !Number.isSafeInteger(label)))
      throw new SegmentationError(
        "invalid_image",
        `expected labels that are whole numbers from 0 up, found ${label} at pixel ${i}`,
      );
    seen.add(label);
  }
  return [...seen].filter((label) => Number(label) !== 0).sort((a, b) => (a < b ? -1 : 1));
}
