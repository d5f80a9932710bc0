import { type CropWindow, insideOf } from "./crop.ts";

/** Labels of a field `width` pixels wide, and which of its rows and columns those of the image cut from are taken from. */
export interface SampledLabels {
  readonly labels: Int32Array;
  readonly width: number;
  readonly rows: Int32Array;
  readonly columns: Int32Array;
}

/** 1 where a square crop belongs to the nucleus. */
export function ownMask(image: SampledLabels, window: CropWindow, label: number): Uint8Array {
  return maskOf(image, window, (row, columns, mask, to) => {
    const { labels } = image;
    for (let x = 0; x < columns.length; x++)
      mask[to + x] = labels[row + (columns[x] as number)] === label ? 1 : 0;
  });
}

/** 1 where a square crop belongs to anything else. */
export function otherMask(image: SampledLabels, window: CropWindow, own: Uint8Array): Uint8Array {
  const others = maskOf(image, window, (row, columns, mask, to) => {
    const { labels } = image;
    for (let x = 0; x < columns.length; x++)
      mask[to + x] = labels[row + (columns[x] as number)] === 0 ? 0 : 1;
  });
  for (let i = 0; i < others.length; i++) if (own[i] === 1) others[i] = 0;
  return others;
}

/** Enlarged labels are not made: they are several times as big as the field's, and rows come several times. */
function maskOf(
  { width, rows, columns }: SampledLabels,
  window: CropWindow,
  fill: (row: number, columns: Int32Array, mask: Uint8Array, to: number) => void,
): Uint8Array {
  const { size } = window;
  const mask = new Uint8Array(size * size);
  const { top, left, bottom, right } = insideOf(window, columns.length, rows.length);
  if (left >= right) return mask;
  const across = columns.subarray(left, right);
  for (let y = top; y < bottom; y++) {
    const to = (y - window.top) * size + left - window.left;
    if (y > top && rows[y] === rows[y - 1]) mask.copyWithin(to, to - size, to - size + across.length);
    else fill((rows[y] as number) * width, across, mask, to);
  }
  return mask;
}

/**
 * Grow a mask by `radius` pixels in every direction: dilation by a (2 · radius + 1)² square, as two passes of a running count.
 *
 * @param mask `size` × `size`, 0 or 1.
 */
export function grow(mask: Uint8Array, size: number, radius: number): Uint8Array {
  if (radius === 0) return mask;
  const across = new Uint8Array(mask.length);
  pass(mask, across, size, radius, 1, size);
  const result = new Uint8Array(mask.length);
  pass(across, result, size, radius, size, 1);
  return result;
}

/** A line is `step` apart along, and lines are `stride` apart. */
function pass(from: Uint8Array, to: Uint8Array, size: number, radius: number, step: number, stride: number) {
  for (let line = 0; line < size; line++) {
    const start = line * stride;
    let count = 0;
    for (let i = 0; i < Math.min(radius, size); i++) count += from[start + i * step] as number;
    for (let i = 0; i < size; i++) {
      if (i + radius < size) count += from[start + (i + radius) * step] as number;
      if (i - radius - 1 >= 0) count -= from[start + (i - radius - 1) * step] as number;
      to[start + i * step] = count > 0 ? 1 : 0;
    }
  }
}

/**
 * Where a crop stays, or undefined when all of it does.
 *
 * @param own 1 on the nucleus of the crop.
 * @param others makes the mask that is 1 on other nuclei.
 */
export function keptArea(
  masking: "none" | "nucleus" | "neighbours-removed",
  own: Uint8Array,
  others: () => Uint8Array,
  size: number,
  radius: number,
): Uint8Array | undefined {
  if (masking === "none") return undefined;
  if (masking === "nucleus") return grow(own, size, radius);
  const removed = grow(others(), size, radius);
  const kept = new Uint8Array(removed.length);
  for (let i = 0; i < kept.length; i++) if (removed[i] === 0 || own[i] === 1) kept[i] = 1;
  return kept;
}

/** Blank what is not kept, in place. */
export function applyMask(pixels: Uint16Array, kept: Uint8Array | undefined): Uint16Array {
  if (kept !== undefined) for (let i = 0; i < pixels.length; i++) if (kept[i] === 0) pixels[i] = 0;
  return pixels;
}
