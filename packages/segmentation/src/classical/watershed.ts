/**
 * Watershed of a distance map from given peaks, the highest pixels first and of equal ones the first reached (Beucher and Meyer 1993). A
 * pixel that rises again behind a pass counts as high as the pass: what is behind it is reached together, not ahead of others. (The order of
 * scikit-image's `watershed(-distance, markers, mask=distance > 0, connectivity=2)`).
 *
 * Levels are whole numbers and never rise while flooding, so one queue per level replaces a heap: first in, first out within each. Objects that
 * do not touch know nothing of each other and are flooded one after the other, each in the processor's cache.
 *
 * @param squared squared distances, 0 outside of the objects.
 * @param peaks one pixel inside of each object to be, in raster order.
 * @returns labels 1 to `peaks.length`, 0 in the background and where no peak leads.
 */
export function watershed(squared: Int32Array, width: number, height: number, peaks: Int32Array): Int32Array {
  const labels = new Int32Array(squared.length);
  let top = 0;
  for (let i = 0; i < peaks.length; i++) {
    labels[peaks[i] as number] = OPEN - 1 - i;
    top = Math.max(top, squared[peaks[i] as number] as number);
  }
  // Of each level the first and last pixel waiting, and of each pixel the next one; -1: none.
  const first = new Int32Array(top + 1).fill(-1);
  const last = new Int32Array(top + 1).fill(-1);
  const next = new Int32Array(squared.length);
  const around = neighboursOf(width, height);
  for (const peak of peaks) {
    if ((labels[peak] as number) >= OPEN) continue;
    let level = 0;
    for (const i of openObject(squared, labels, next, peak, around)) {
      const pixel = peaks[i] as number;
      const own = squared[pixel] as number;
      labels[pixel] = i + 1;
      next[pixel] = -1;
      if (first[own] === -1) first[own] = pixel;
      else next[last[own] as number] = pixel;
      last[own] = pixel;
      level = Math.max(level, own);
    }
    for (; level > 0; level--) {
      for (let pixel = first[level] as number; pixel !== -1; pixel = next[pixel] as number) {
        const label = labels[pixel] as number;
        const inner = isInner(around, pixel);
        for (let k = 0; k < 8; k++) {
          const neighbour = pixel + (around.steps[k] as number);
          if (labels[neighbour] !== OPEN || !(inner || isNeighbour(around, pixel, k))) continue;
          const own = Math.min(squared[neighbour] as number, level);
          labels[neighbour] = label;
          next[neighbour] = -1;
          if (first[own] === -1) first[own] = neighbour;
          else next[last[own] as number] = neighbour;
          last[own] = neighbour;
        }
      }
      first[level] = -1;
    }
  }
  return labels;
}

/** Label of a pixel of the object being flooded that waits for its own. Peaks of objects not looked at yet have the numbers below. */
const OPEN = -1;

/** Neighbours over edges come first: they are nearer. */
const dy = [-1, 0, 0, 1, -1, -1, 1, 1];
const dx = [0, -1, 1, 0, -1, 1, -1, 1];

/** The neighbours of a pixel: how far away they are in memory, where the image has them. */
interface Around {
  readonly width: number;
  readonly height: number;
  readonly steps: Int32Array;
}

function neighboursOf(width: number, height: number): Around {
  return { width, height, steps: Int32Array.from(dy, (down, k) => down * width + (dx[k] as number)) };
}

/** Has a pixel all eight? */
function isInner({ width, height }: Around, pixel: number): boolean {
  const x = pixel % width;
  return x > 0 && x < width - 1 && pixel >= width && pixel < width * (height - 1);
}

function isNeighbour({ width, height }: Around, pixel: number, k: number): boolean {
  const x = (pixel % width) + (dx[k] as number);
  const y = Math.floor(pixel / width) + (dy[k] as number);
  return x >= 0 && x < width && y >= 0 && y < height;
}

/** Opens all pixels of the object that a peak is in; returns the indices of its peaks, ascending. `members` is for its pixels. */
function openObject(
  squared: Int32Array,
  labels: Int32Array,
  members: Int32Array,
  peak: number,
  around: Around,
): number[] {
  const peaks = [OPEN - 1 - (labels[peak] as number)];
  labels[peak] = OPEN;
  members[0] = peak;
  for (let i = 0, count = 1; i < count; i++) {
    const pixel = members[i] as number;
    const inner = isInner(around, pixel);
    for (let k = 0; k < 8; k++) {
      const neighbour = pixel + (around.steps[k] as number);
      const label = labels[neighbour];
      if (label === OPEN || !squared[neighbour] || !(inner || isNeighbour(around, pixel, k))) continue;
      if ((label as number) < OPEN) peaks.push(OPEN - 1 - (label as number));
      labels[neighbour] = OPEN;
      members[count++] = neighbour;
    }
  }
  return peaks.sort((a, b) => a - b);
}
