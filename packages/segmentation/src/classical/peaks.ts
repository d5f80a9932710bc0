import { maxDistancePx } from "./distance.ts";

/**
 * Peaks of a distance map that rise at least `dynamicsPx` pixels above the pass to a higher peak, one pixel each, in raster order: one for
 * every part that an object falls into. Each stands for one of the extended maxima (Soille 2003: regional maxima of the h-maxima transform).
 *
 * Pixels are flooded from the highest down. Where two floods meet, the one with the lower peak ends; it counts if it rose high enough.
 *
 * @param squared squared distances, 0 in the background; neighbours touch by edges or corners.
 */
export function findPeaks(
  squared: Int32Array,
  width: number,
  height: number,
  dynamicsPx: number,
): Int32Array {
  const order = descending(squared);
  // Parent of a flooded pixel in its flood, whose root is its peak; -1: not flooded yet.
  const parent = new Int32Array(squared.length).fill(-1);
  const find = (pixel: number): number => {
    let root = pixel;
    while (parent[root] !== root) root = parent[root] as number;
    for (let at = pixel; at !== root; ) {
      const next = parent[at] as number;
      parent[at] = root;
      at = next;
    }
    return root;
  };
  const kept: number[] = [];
  for (const pixel of order) {
    const level = Math.sqrt(squared[pixel] as number);
    const x = pixel % width;
    const y = (pixel - x) / width;
    let root = -1;
    for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
      for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
        const neighbour = ny * width + nx;
        if (parent[neighbour] === -1) continue;
        const other = find(neighbour);
        if (root === -1 || other === root) {
          root = other;
          continue;
        }
        const otherWins = before(squared, other, root);
        const ended = otherWins ? root : other;
        root = otherWins ? other : root;
        parent[ended] = root;
        if (Math.sqrt(squared[ended] as number) - level >= dynamicsPx) kept.push(ended);
      }
    }
    parent[pixel] = root === -1 ? pixel : root;
  }
  for (const pixel of order) if (parent[pixel] === pixel) kept.push(pixel);
  return Int32Array.from(kept).sort();
}

/** Higher peaks win; of equal ones the first in raster order. */
function before(squared: Int32Array, a: number, b: number): boolean {
  const difference = (squared[a] as number) - (squared[b] as number);
  return difference > 0 || (difference === 0 && a < b);
}

/** Foreground pixels from the highest down, equal ones in raster order (counting sort). */
function descending(squared: Int32Array): Int32Array {
  let max = 0;
  let foreground = 0;
  for (let i = 0; i < squared.length; i++) {
    const value = squared[i] as number;
    if (value > 0) foreground += 1;
    if (value > max) max = value;
  }
  if (max > maxDistancePx ** 2) throw new RangeError(`expected distances up to ${maxDistancePx} px`);
  const next = new Int32Array(max + 2);
  for (let i = 0; i < squared.length; i++) next[max - (squared[i] as number) + 1]! += 1;
  for (let key = 1; key < next.length; key++) next[key]! += next[key - 1] as number;
  const order = new Int32Array(foreground);
  for (let i = 0; i < squared.length; i++) {
    const value = squared[i] as number;
    if (value > 0) order[next[max - value]!++] = i;
  }
  return order;
}
