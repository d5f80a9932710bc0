/** The segmentation steps as their definitions say, slowly; what the real ones are held against. */

/** Otsu by its definition: of every level, the variance between the pixels up to it and those above. */
export function naiveOtsu(pixels: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  let best = { threshold: Math.min(...pixels), variance: -1 };
  for (const threshold of [...new Set(pixels)].sort((a, b) => a - b)) {
    const below = pixels.filter((value) => value <= threshold);
    const above = pixels.filter((value) => value > threshold);
    if (above.length === 0) break;
    const variance = Math.fround(below.length * above.length) * (mean(below) - mean(above)) ** 2;
    if (variance > best.variance) best = { threshold, variance };
  }
  return best.threshold;
}

/** Squared distance to the nearest background pixel, over all of them. */
export function naiveDistance(mask: Uint8Array, width: number): number[] {
  return Array.from(mask, (value, i) => {
    if (value === 0) return 0;
    let nearest = Number.POSITIVE_INFINITY;
    for (let j = 0; j < mask.length; j++) {
      if (mask[j] !== 0) continue;
      const dy = Math.floor(i / width) - Math.floor(j / width);
      const dx = (i % width) - (j % width);
      nearest = Math.min(nearest, dy * dy + dx * dx);
    }
    return nearest;
  });
}

/** Components of the pixels for which `inside` holds, by flood fill, in raster order of their first pixels. */
export function naiveComponents(
  inside: (pixel: number) => boolean,
  width: number,
  height: number,
  connectivity: 4 | 8,
): number[] {
  const labels = new Array<number>(width * height).fill(0);
  let label = 0;
  for (let start = 0; start < labels.length; start++) {
    if (!inside(start) || labels[start] !== 0) continue;
    label += 1;
    const stack = [start];
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      if (labels[pixel] !== 0) continue;
      labels[pixel] = label;
      for (const next of around(pixel, width, height, connectivity))
        if (inside(next) && labels[next] === 0) stack.push(next);
    }
  }
  return labels;
}

function around(pixel: number, width: number, height: number, connectivity: 4 | 8): number[] {
  const x = pixel % width;
  const y = Math.floor(pixel / width);
  const all: number[] = [];
  for (let dy = -1; dy <= 1; dy++)
    for (let dx = -1; dx <= 1; dx++) {
      if ((dy === 0 && dx === 0) || (connectivity === 4 && dy !== 0 && dx !== 0)) continue;
      if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
      all.push((y + dy) * width + x + dx);
    }
  return all;
}

/**
 * Peaks by their definition: a pixel counts when no higher pixel (or equal one before it) can be reached without going `dynamics` or
 * further down. Found by flooding the pixels above that level.
 */
export function naivePeaks(
  squared: ArrayLike<number>,
  width: number,
  height: number,
  dynamics: number,
): number[] {
  const depth = Array.from(squared, Math.sqrt);
  return depth.flatMap((top, pixel) => {
    if (top === 0) return [];
    const floor = top - dynamics;
    const seen = new Set([pixel]);
    const stack = [pixel];
    for (let at = stack.pop(); at !== undefined; at = stack.pop())
      for (const next of around(at, width, height, 8)) {
        const value = depth[next] as number;
        if (seen.has(next) || value === 0 || value <= floor) continue;
        if (value > top || (value === top && next < pixel)) return [];
        seen.add(next);
        stack.push(next);
      }
    return [pixel];
  });
}

/** Watershed by looking for the next pixel among all of those waiting. */
export function naiveWatershed(
  squared: ArrayLike<number>,
  width: number,
  height: number,
  peaks: ArrayLike<number>,
): number[] {
  const labels = new Array<number>(width * height).fill(0);
  const waiting: { pixel: number; level: number }[] = [];
  Array.from(peaks).forEach((pixel, i) => {
    labels[pixel] = i + 1;
    waiting.push({ pixel, level: squared[pixel] as number });
  });
  while (waiting.length > 0) {
    let first = 0;
    waiting.forEach(({ level }, i) => {
      if (level > (waiting[first]?.level as number)) first = i;
    });
    const [{ pixel, level }] = waiting.splice(first, 1) as [{ pixel: number; level: number }];
    const near = around(pixel, width, height, 4);
    const corners = around(pixel, width, height, 8).filter((next) => !near.includes(next));
    for (const next of [...near, ...corners])
      if (labels[next] === 0 && (squared[next] as number) > 0) {
        labels[next] = labels[pixel] as number;
        waiting.push({ pixel: next, level: Math.min(level, squared[next] as number) });
      }
  }
  return labels;
}
