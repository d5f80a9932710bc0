/** Vertices y0, x0, y1, x1, … of a star-convex polygon, in float32 as StarDist's `dist_to_coord` gives them. */
export function starPolygon(y: number, x: number, distances: Float32Array): Float32Array {
  const rays = distances.length;
  const vertices = new Float32Array(2 * rays);
  const step = (2 * Math.PI) / rays;
  for (let k = 0; k < rays; k++) {
    const distance = distances[k] as number;
    vertices[2 * k] = Math.fround(distance * Math.sin(k * step)) + y;
    vertices[2 * k + 1] = Math.fround(distance * Math.cos(k * step)) + x;
  }
  return vertices;
}

/** A vertex is met, a crossing is at the pixel: nearer than this, as scikit-image has it. */
const vertexTolerance = 1e-12;

/** Crossings nearer to a pixel than this are left to the exact test; far above what rounding can do. */
const nearPx = 1e-6;

/**
 * Labels the pixels of a polygon in `labels`, `height` × `width`: those that scikit-image's `draw.polygon` gives, edges and vertices included.
 * Pixels of other polygons are written over.
 *
 * Rows are filled between crossings; pixels at a crossing and rows through a vertex are tested one by one.
 */
export function fillPolygon(
  vertices: Float32Array,
  label: number,
  labels: Int32Array,
  width: number,
  height: number,
): void {
  const n = vertices.length / 2;
  let minY = Number.POSITIVE_INFINITY;
  let maxY = Number.NEGATIVE_INFINITY;
  let minX = Number.POSITIVE_INFINITY;
  let maxX = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < n; k++) {
    const y = vertices[2 * k] as number;
    const x = vertices[2 * k + 1] as number;
    if (y < minY) minY = y;
    if (y > maxY) maxY = y;
    if (x < minX) minX = x;
    if (x > maxX) maxX = x;
  }
  const firstY = Math.trunc(Math.max(0, minY));
  const lastY = Math.min(height - 1, Math.ceil(maxY));
  const firstX = Math.trunc(Math.max(0, minX));
  const lastX = Math.min(width - 1, Math.ceil(maxX));
  const crossings = new Float64Array(n);
  for (let y = firstY; y <= lastY; y++) {
    const row = y * width;
    const found = crossingsOfRow(vertices, y, crossings);
    if (found < 0) {
      for (let x = firstX; x <= lastX; x++) if (covers(vertices, y, x)) labels[row + x] = label;
      continue;
    }
    const sorted = crossings.subarray(0, found).sort();
    let next = 0;
    for (let x = firstX; x <= lastX; x++) {
      while (next < found && (sorted[next] as number) < x - nearPx) next += 1;
      const unclear = next < found && (sorted[next] as number) <= x + nearPx;
      if (unclear ? covers(vertices, y, x) : (next & 1) === 1) labels[row + x] = label;
    }
  }
}

/** Columns at which the outline crosses a row; -1 when it has a vertex there. */
function crossingsOfRow(vertices: Float32Array, y: number, into: Float64Array): number {
  const n = vertices.length / 2;
  let found = 0;
  let y1 = (vertices[2 * n - 2] as number) - y;
  let x1 = vertices[2 * n - 1] as number;
  for (let k = 0; k < n; k++) {
    const y0 = (vertices[2 * k] as number) - y;
    const x0 = vertices[2 * k + 1] as number;
    if (Math.abs(y0) < nearPx) return -1;
    if (y0 > 0 !== y1 > 0) into[found++] = (x0 * y1 - x1 * y0) / (y1 - y0);
    y1 = y0;
    x1 = x0;
  }
  return found;
}

/** scikit-image's `point_in_polygon` (after O'Rourke 1998): inside, on an edge, or on a vertex. */
function covers(vertices: Float32Array, y: number, x: number): boolean {
  const n = vertices.length / 2;
  let right = false;
  let left = false;
  let y1 = (vertices[2 * n - 2] as number) - y;
  let x1 = (vertices[2 * n - 1] as number) - x;
  for (let k = 0; k < n; k++) {
    const y0 = (vertices[2 * k] as number) - y;
    const x0 = (vertices[2 * k + 1] as number) - x;
    if (Math.abs(x0) < vertexTolerance && Math.abs(y0) < vertexTolerance) return true;
    if (y0 > 0 !== y1 > 0 && (x0 * y1 - x1 * y0) / (y1 - y0) > 0) right = !right;
    if (y0 < 0 !== y1 < 0 && (x0 * y1 - x1 * y0) / (y1 - y0) < 0) left = !left;
    y1 = y0;
    x1 = x0;
  }
  return right !== left || right;
}
