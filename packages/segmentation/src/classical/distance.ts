/** Distances are capped here, in pixels: no nucleus is as thick, and the square of it bounds tables indexed by distance. */
export const maxDistancePx = 2_048;

/**
 * Squared Euclidean distance of every foreground pixel to the nearest background pixel, exact, capped at `maxDistancePx` squared; 0 in the
 * background. What lies outside of the image is not background. Meijster, Roerdink and Hesselink (2000), in two passes over columns and rows.
 */
export function squaredDistance(mask: Uint8Array, width: number, height: number): Int32Array {
  const result = verticalDistance(mask, width, height);
  const squares = new Float64Array(width);
  const sites = new Int32Array(width);
  const starts = new Int32Array(width);
  const cap = maxDistancePx ** 2;
  for (let y = 0; y < height; y++) {
    const offset = y * width;
    for (let x = 0; x < width; x++) squares[x] = (result[offset + x] as number) ** 2;
    // The lower envelope of the parabolas over the columns: which one is lowest from where on.
    let last = 0;
    sites[0] = 0;
    starts[0] = 0;
    for (let u = 1; u < width; u++) {
      while (last >= 0 && lower(squares, starts[last] as number, u, sites[last] as number)) last -= 1;
      if (last < 0) {
        last = 0;
        sites[0] = u;
        starts[0] = 0;
        continue;
      }
      const from = 1 + crossing(squares, sites[last] as number, u);
      if (from < width) {
        last += 1;
        sites[last] = u;
        starts[last] = from;
      }
    }
    for (let x = width - 1; x >= 0; x--) {
      const site = sites[last] as number;
      result[offset + x] = Math.min(cap, (x - site) ** 2 + (squares[site] as number));
      if (x === starts[last]) last -= 1;
    }
  }
  return result;
}

/** Is the parabola of column `u` lower at `x` than that of column `site`? */
function lower(squares: Float64Array, x: number, u: number, site: number): boolean {
  return (x - site) ** 2 + (squares[site] as number) > (x - u) ** 2 + (squares[u] as number);
}

/** The last column at which the parabola of `i` is not above that of `u`, for i < u. */
function crossing(squares: Float64Array, i: number, u: number): number {
  return Math.floor((u * u - i * i + (squares[u] as number) - (squares[i] as number)) / (2 * (u - i)));
}

/** Distance to the nearest background pixel of the same column, capped. */
function verticalDistance(mask: Uint8Array, width: number, height: number): Int32Array {
  const distance = new Int32Array(mask.length);
  for (let i = 0; i < mask.length; i++) {
    const above = i < width ? maxDistancePx : (distance[i - width] as number);
    distance[i] = mask[i] === 0 ? 0 : Math.min(maxDistancePx, above + 1);
  }
  for (let i = width * (height - 1) - 1; i >= 0; i--) {
    const below = (distance[i + width] as number) + 1;
    if (below < (distance[i] as number)) distance[i] = below;
  }
  return distance;
}
