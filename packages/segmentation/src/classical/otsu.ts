/**
 * Otsu's threshold (1979): the grey level that parts an image into two classes with the largest variance between them. Pixels brighter than it
 * are foreground. The same number as scikit-image's `threshold_otsu` gives for an integer image of up to 16 Mpx, where its counts in
 * float32 are exact; of several equal maxima the lowest. An image of one grey level has that level, and so no foreground.
 */
export function otsuThreshold(pixels: Uint16Array): number {
  const counts = new Float64Array(65_536);
  for (let i = 0; i < pixels.length; i++) counts[pixels[i] as number]! += 1;
  let min = 0;
  while (min < 65_535 && counts[min] === 0) min += 1;
  let max = 65_535;
  while (max > min && counts[max] === 0) max -= 1;
  let total = 0;
  for (let level = min; level <= max; level++) total += (counts[level] as number) * level;
  let best = -1;
  let threshold = min;
  let below = 0;
  let sumBelow = 0;
  for (let level = min; level < max; level++) {
    below += counts[level] as number;
    sumBelow += (counts[level] as number) * level;
    const above = pixels.length - below;
    const gap = sumBelow / below - (total - sumBelow) / above;
    // scikit-image forms this product in float32; near the maximum the rounding decides.
    const variance = Math.fround(below * above) * gap ** 2;
    if (variance > best) {
      best = variance;
      threshold = level;
    }
  }
  return threshold;
}

/** Classes of scikit-image's `threshold_otsu` for images that are not of integers. */
const classes = 256;

/**
 * Otsu's threshold of real numbers, over 256 classes of equal width between lowest and highest: the middle of the last class that is
 * background, as scikit-image's `threshold_otsu`. An image of one value has that value, and so no foreground.
 */
export function otsuThresholdOfReals(pixels: Float32Array): number {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < pixels.length; i++) {
    const value = pixels[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (min === max) return min;
  const width = (max - min) / classes;
  const counts = new Float64Array(classes);
  for (let i = 0; i < pixels.length; i++) {
    const bin = Math.floor(((pixels[i] as number) - min) / width);
    counts[bin < classes ? bin : classes - 1]! += 1;
  }
  const middle = (bin: number) => min + (bin + 0.5) * width;
  let total = 0;
  for (let bin = 0; bin < classes; bin++) total += (counts[bin] as number) * middle(bin);
  let best = -1;
  let threshold = min;
  let below = 0;
  let sumBelow = 0;
  for (let bin = 0; bin < classes - 1; bin++) {
    below += counts[bin] as number;
    sumBelow += (counts[bin] as number) * middle(bin);
    const over = pixels.length - below;
    const gap = sumBelow / below - (total - sumBelow) / over;
    const variance = Math.fround(below * over) * gap ** 2;
    if (variance > best) {
      best = variance;
      threshold = middle(bin);
    }
  }
  return threshold;
}
