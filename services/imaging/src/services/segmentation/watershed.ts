import { maxDistancePx } from "./distance.ts";

/** Ages are below this: no image has as many pixels. */
const ageRange = 2 ** 28;

/**
 * Watershed of a distance map from given peaks, the highest pixels first and of equal ones the first reached (Beucher and Meyer 1993). A
 * pixel that rises again behind a pass counts as high as the pass: what is behind it is reached together, not ahead of others. (The order of
 * scikit-image's `watershed(-distance, markers, mask=distance > 0, connectivity=2)`).
 *
 * @param squared squared distances, 0 outside of the objects.
 * @param peaks one pixel per object to be, in raster order.
 * @returns labels 1 to `peaks.length`, 0 in the background and where no peak leads.
 */
export function watershed(squared: Int32Array, width: number, height: number, peaks: Int32Array): Int32Array {
  const labels = new Int32Array(squared.length);
  const queue = priorityQueue();
  const top = maxDistancePx ** 2;
  let age = 0;
  // Depths grow from the highest peak down.
  const enter = (pixel: number, label: number, atLeast: number) => {
    labels[pixel] = label;
    queue.push(Math.max(atLeast, top - (squared[pixel] as number)) * ageRange + age++, pixel);
  };
  for (const [position, pixel] of peaks.entries()) enter(pixel, position + 1, 0);
  // Neighbours over edges come first: they are nearer.
  const steps: readonly (readonly [dy: number, dx: number])[] = [
    [-1, 0],
    [0, -1],
    [0, 1],
    [1, 0],
    [-1, -1],
    [-1, 1],
    [1, -1],
    [1, 1],
  ];
  while (queue.size() > 0) {
    const depth = Math.floor(queue.key() / ageRange);
    const pixel = queue.pop();
    const x = pixel % width;
    const y = (pixel - x) / width;
    const label = labels[pixel] as number;
    for (const [dy, dx] of steps) {
      const nx = x + dx;
      const ny = y + dy;
      if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
      const neighbour = ny * width + nx;
      if (labels[neighbour] === 0 && (squared[neighbour] as number) > 0) enter(neighbour, label, depth);
    }
  }
  return labels;
}

/** A binary heap of pixels, lowest key first. Keys stay below 2^50, which a double holds exactly. */
function priorityQueue() {
  let keys = new Float64Array(1_024);
  let pixels = new Int32Array(1_024);
  let size = 0;
  const put = (at: number, key: number, pixel: number) => {
    keys[at] = key;
    pixels[at] = pixel;
  };
  const move = (from: number, to: number) => put(to, keys[from] as number, pixels[from] as number);
  return {
    size: () => size,
    /** Lowest key. */
    key: () => keys[0] as number,
    push(key: number, pixel: number): void {
      if (size === keys.length) {
        const grown = { keys: new Float64Array(2 * size), pixels: new Int32Array(2 * size) };
        grown.keys.set(keys);
        grown.pixels.set(pixels);
        ({ keys, pixels } = grown);
      }
      let at = size++;
      while (at > 0) {
        const up = (at - 1) >> 1;
        if ((keys[up] as number) <= key) break;
        move(up, at);
        at = up;
      }
      put(at, key, pixel);
    },
    /** The pixel of the lowest key; the heap must not be empty. */
    pop(): number {
      const first = pixels[0] as number;
      size -= 1;
      const key = keys[size] as number;
      let at = 0;
      for (;;) {
        let down = 2 * at + 1;
        if (down >= size) break;
        if (down + 1 < size && (keys[down + 1] as number) < (keys[down] as number)) down += 1;
        if ((keys[down] as number) >= key) break;
        move(down, at);
        at = down;
      }
      put(at, key, pixels[size] as number);
      return first;
    },
  };
}
