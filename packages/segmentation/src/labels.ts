import { SegmentationError } from "./errors.ts";
import type { Measured, Provenance, Segmentation } from "./types.ts";

// Label images: `height` × `width` Int32Arrays, 0 in the background, other labels above 0 and not necessarily without gaps.

/**
 * Area, centroid and box of every label, ascending by label.
 *
 * @param count where it is known that labels are from 0 to `count`: saves looking for them.
 */
export function measure(labels: Int32Array, width: number, height: number, count?: number): Measured[] {
  return measured(labels, width, counting(height + 1), counting(width + 1), count);
}

/**
 * What `measure` finds in the image whose pixel y, x is that at `rows[y]`, `columns[x]`, without making it: an enlarged image has many
 * times the pixels.
 *
 * @param rows and `columns` ascending; labels that are not sampled are left out.
 * @param count see `measure`.
 */
export function measureSampled(
  labels: Int32Array,
  width: number,
  height: number,
  rows: Int32Array,
  columns: Int32Array,
  count?: number,
): Measured[] {
  return measured(labels, width, startsOf(rows, height), startsOf(columns, width), count).filter(
    ({ areaPx }) => areaPx > 0,
  );
}

/** 0, 1, 2, … */
function counting(length: number): Int32Array {
  const numbers = new Int32Array(length);
  for (let i = 0; i < length; i++) numbers[i] = i;
  return numbers;
}

/** Where the copies of a row or column begin; those of the last one end at the last entry. */
function startsOf(sources: Int32Array, side: number): Int32Array {
  const starts = new Int32Array(side + 1);
  for (const source of sources) starts[source + 1]! += 1;
  for (let i = 0; i < side; i++) starts[i + 1]! += starts[i] as number;
  return starts;
}

/** Row y stands for the rows from `tops[y]` to `tops[y + 1] - 1`, column x for those from `lefts[x]` to `lefts[x + 1] - 1`. */
function measured(
  labels: Int32Array,
  width: number,
  tops: Int32Array,
  lefts: Int32Array,
  count: number | undefined,
): Measured[] {
  const { order, slotOf } = count === undefined ? slots(labels) : slotsTo(count);
  const n = order.length;
  const area = new Float64Array(n);
  const sumY = new Float64Array(n);
  const sumX = new Float64Array(n);
  const minY = new Int32Array(n).fill(2 ** 31 - 1);
  const minX = new Int32Array(n).fill(2 ** 31 - 1);
  const maxY = new Int32Array(n);
  const maxX = new Int32Array(n);
  for (let y = 0; y < tops.length - 1; y++) {
    const row = y * width;
    const top = tops[y] as number;
    const rows = (tops[y + 1] as number) - top;
    if (rows === 0) continue;
    for (let x = 0; x < width; ) {
      const label = labels[row + x] as number;
      const start = x++;
      if (label === 0) continue;
      while (x < width && labels[row + x] === label) x++;
      const [left, right] = [lefts[start] as number, lefts[x] as number];
      if (left === right) continue;
      const slot = slotOf(label);
      const columns = right - left;
      area[slot]! += rows * columns;
      sumY[slot]! += (columns * rows * (2 * top + rows - 1)) / 2;
      sumX[slot]! += (rows * columns * (left + right - 1)) / 2;
      if (top < (minY[slot] as number)) minY[slot] = top;
      if (left < (minX[slot] as number)) minX[slot] = left;
      if (right > (maxX[slot] as number)) maxX[slot] = right;
      maxY[slot] = top + rows;
    }
  }
  return order.map((label, slot) => ({
    label,
    areaPx: area[slot] as number,
    centroidY: (sumY[slot] as number) / (area[slot] as number),
    centroidX: (sumX[slot] as number) / (area[slot] as number),
    minY: minY[slot] as number,
    minX: minX[slot] as number,
    maxY: maxY[slot] as number,
    maxX: maxX[slot] as number,
  }));
}

/** Labels of fewer than `minAreaPx` pixels become background, in place; one of exactly so many stays. */
export function removeSmall(labels: Int32Array, minAreaPx: number): void {
  const { order, slotOf } = slots(labels);
  const areas = new Float64Array(order.length);
  for (let i = 0; i < labels.length; i++) if (labels[i] !== 0) areas[slotOf(labels[i] as number)]! += 1;
  erase(labels, (label) => (areas[slotOf(label)] as number) < minAreaPx);
}

/** Labels with a pixel in the outermost row or column become background, in place. */
export function clearBorder(labels: Int32Array, width: number, height: number): void {
  const touching = new Set<number>();
  for (let x = 0; x < width; x++) {
    touching.add(labels[x] as number);
    touching.add(labels[(height - 1) * width + x] as number);
  }
  for (let y = 0; y < height; y++) {
    touching.add(labels[y * width] as number);
    touching.add(labels[y * width + width - 1] as number);
  }
  erase(labels, (label) => touching.has(label));
}

/** Labels become 1 to n in place, in the same order; returns what each was before, ascending. */
export function relabel(labels: Int32Array): number[] {
  const { order, slotOf } = slots(labels);
  for (let i = 0; i < labels.length; i++) if (labels[i] !== 0) labels[i] = slotOf(labels[i] as number) + 1;
  return order;
}

/**
 * A segmentation without the objects that are small or cut off by the edge of the image, numbered anew in the same order; probabilities and
 * polygons stay with their objects. The given one is not changed.
 *
 * @param rules `minAreaPx`: fewer pixels are dropped; `clearBorder`: what touches the outermost row or column is dropped.
 * @param into takes the labels.
 */
export function filterInstances<P extends Provenance>(
  segmentation: Segmentation<P>,
  rules: { readonly minAreaPx?: number; readonly clearBorder?: boolean },
  into: Int32Array = new Int32Array(segmentation.labels.length),
): Segmentation<P> {
  const { width, height } = segmentation;
  const { minAreaPx = 0, clearBorder: inside = false } = rules;
  // What the objects are was measured when they were found.
  const instances = segmentation.instances
    .filter(
      ({ areaPx, minY, minX, maxY, maxX }) =>
        areaPx >= minAreaPx && !(inside && (minY === 0 || minX === 0 || maxY === height || maxX === width)),
    )
    .sort((a, b) => a.label - b.label);
  const after = new Map(instances.map(({ label }, i) => [label, i + 1]));
  const labels = into;
  let last = 0;
  let kept = 0;
  for (let i = 0; i < labels.length; i++) {
    const label = segmentation.labels[i] as number;
    if (label !== last) {
      last = label;
      kept = after.get(label) ?? 0;
    }
    labels[i] = kept;
  }
  return { ...segmentation, labels, instances: instances.map((one, i) => ({ ...one, label: i + 1 })) };
}

function erase(labels: Int32Array, gone: (label: number) => boolean): void {
  let last = 0;
  let lastGone = false;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (label === 0) continue;
    if (label !== last) {
      last = label;
      lastGone = gone(label);
    }
    if (lastGone) labels[i] = 0;
  }
}

/** Those of labels from 1 to `count`. */
function slotsTo(count: number): ReturnType<typeof slots> {
  return { order: Array.from({ length: count }, (_, i) => i + 1), slotOf: (label) => label - 1 };
}

/** The labels that occur, ascending, and the position of each among them. */
function slots(labels: Int32Array): { order: number[]; slotOf: (label: number) => number } {
  let max = 0;
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    if (label > max) max = label;
    else if (label < 0)
      throw new SegmentationError(
        "invalid_image",
        `expected labels of 0 and above, found ${label} at pixel ${i}`,
      );
  }
  // A table as long as the image is cheap; sparse labels far above that are looked up.
  if (max <= labels.length + 65_536) {
    const table = new Int32Array(max + 1);
    for (let i = 0; i < labels.length; i++) table[labels[i] as number] = 1;
    const order: number[] = [];
    for (let label = 1; label <= max; label++) if (table[label] === 1) table[label] = order.push(label) - 1;
    return { order, slotOf: (label) => table[label] as number };
  }
  const order = [...new Set(labels)].filter((label) => label !== 0).sort((a, b) => a - b);
  const positions = new Map(order.map((label, slot) => [label, slot]));
  return { order, slotOf: (label) => positions.get(label) as number };
}
