/**
 * Watershed of a distance map from given peaks, the highest pixels first and of equal ones the first reached (Beucher and Meyer 1993). A
 * pixel that rises again behind a pass counts as high as the pass: what is behind it is reached together, not ahead of others. (The order of
 * scikit-image's `watershed(-distance, markers, mask=distance > 0, connectivity=2)`).
 *
 * Levels are whole numbers and never rise while flooding, so one queue per level replaces a heap: first in, first out within each.
 *
 * @param squared squared distances, 0 outside of the objects.
 * @param peaks one pixel per object to be, in raster order.
 * @returns labels 1 to `peaks.length`, 0 in the background and where no peak leads.
 */
export function watershed(squared: Int32Array, width: number, height: number, peaks: Int32Array): Int32Array {
  const labels = new Int32Array(squared.length);
  let top = 0;
  for (const peak of peaks) top = Math.max(top, squared[peak] as number);
  // Of each level the first and last pixel waiting, and of each pixel the next one; -1: none.
  const first = new Int32Array(top + 1).fill(-1);
  const last = new Int32Array(top + 1).fill(-1);
  const next = new Int32Array(squared.length).fill(-1);
  const enter = (pixel: number, label: number, level: number) => {
    labels[pixel] = label;
    if (first[level] === -1) first[level] = pixel;
    else next[last[level] as number] = pixel;
    last[level] = pixel;
  };
  for (let i = 0; i < peaks.length; i++)
    enter(peaks[i] as number, i + 1, squared[peaks[i] as number] as number);
  // Neighbours over edges come first: they are nearer.
  const dy = [-1, 0, 0, 1, -1, -1, 1, 1];
  const dx = [0, -1, 1, 0, -1, 1, -1, 1];
  for (let level = top; level > 0; level--) {
    for (let pixel = first[level] as number; pixel !== -1; pixel = next[pixel] as number) {
      const x = pixel % width;
      const y = (pixel - x) / width;
      const label = labels[pixel] as number;
      for (let k = 0; k < 8; k++) {
        const nx = x + (dx[k] as number);
        const ny = y + (dy[k] as number);
        if (nx < 0 || ny < 0 || nx >= width || ny >= height) continue;
        const neighbour = ny * width + nx;
        const rise = squared[neighbour] as number;
        if (labels[neighbour] === 0 && rise > 0) enter(neighbour, label, Math.min(rise, level));
      }
    }
  }
  return labels;
}
