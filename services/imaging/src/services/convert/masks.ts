/** 1 where a square crop belongs to the nucleus. */
export function ownMask(labels: Int32Array, label: number): Uint8Array {
  const mask = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) if (labels[i] === label) mask[i] = 1;
  return mask;
}

/** 1 where a square crop belongs to anything else. */
export function otherMask(labels: Int32Array, own: Uint8Array): Uint8Array {
  const mask = new Uint8Array(labels.length);
  for (let i = 0; i < labels.length; i++) if (labels[i] !== 0 && own[i] === 0) mask[i] = 1;
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
