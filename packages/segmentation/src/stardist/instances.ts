import { SegmentationError } from "../errors.ts";
import type { SegmentContext } from "../types.ts";
import { type Candidates, suppressNonMaxima } from "./nms.ts";
import { fillPolygon, starPolygon } from "./polygons.ts";

/** What a network says of an image: `rows` × `columns` grid cells. */
export interface Prediction {
  readonly rows: number;
  readonly columns: number;
  readonly rays: number;
  /** Pixels per grid cell along rows and columns of the image. */
  readonly grid: readonly [y: number, x: number];
  /** Probability per cell. */
  readonly probabilities: Float32Array;
  /** `rays` planes of cells (channels first). */
  readonly distances: Float32Array;
}

/** Cells along the edges of the grid that StarDist takes no candidate from. */
const borderCells = 2;

/** Smaller distances are set to this, as StarDist does. */
const minDistance = Math.fround(1e-3);

/** Polygons found, most probable first. */
export interface StarPolygons {
  readonly points: Int32Array;
  readonly probabilities: Float32Array;
  readonly polygons: readonly Float32Array[];
}

/**
 * Cells whose probability is above the threshold, away from the edges of the (padded) grid and with a centre in the image of `height` × `width`,
 * in raster order.
 */
export function findCandidates(
  prediction: Prediction,
  width: number,
  height: number,
  probThreshold: number,
): Candidates {
  const { rows, columns, rays, grid, probabilities, distances } = prediction;
  const cells: number[] = [];
  // A float32 is compared with a float32, as numpy does with a Python float.
  const threshold = Math.fround(probThreshold);
  for (let r = borderCells; r < rows - borderCells && r * grid[0] < height; r++)
    for (let c = borderCells; c < columns - borderCells && c * grid[1] < width; c++)
      if ((probabilities[r * columns + c] as number) > threshold) cells.push(r * columns + c);
  const plane = rows * columns;
  const points = new Int32Array(2 * cells.length);
  const outlines = new Float32Array(cells.length * rays);
  for (const [i, cell] of cells.entries()) {
    points[2 * i] = Math.floor(cell / columns) * grid[0];
    points[2 * i + 1] = (cell % columns) * grid[1];
    for (let k = 0; k < rays; k++) {
      const distance = distances[k * plane + cell] as number;
      outlines[i * rays + k] = Math.max(distance, minDistance);
    }
  }
  return {
    rays,
    points,
    probabilities: Float32Array.from(cells, (cell) => probabilities[cell] as number),
    distances: outlines,
  };
}

/** The polygons that remain of the candidates, most probable first. */
export async function starPolygons(
  candidates: Candidates,
  nmsThreshold: number,
  context: SegmentContext = {},
): Promise<StarPolygons> {
  const kept = await suppressNonMaxima(candidates, nmsThreshold, context);
  const { points, probabilities, distances, rays } = candidates;
  const y = (i: number) => points[2 * i] as number;
  const x = (i: number) => points[2 * i + 1] as number;
  return {
    points: Int32Array.from(
      { length: 2 * kept.length },
      (_, i) => points[2 * (kept[i >> 1] as number) + (i & 1)] as number,
    ),
    probabilities: Float32Array.from(kept, (i) => probabilities[i] as number),
    polygons: Array.from(kept, (i) => starPolygon(y(i), x(i), distances.subarray(i * rays, (i + 1) * rays))),
  };
}

/**
 * Label image of polygons: 1 for the most probable. More probable ones lie on top of others.
 * @throws SegmentationError `invalid_argument` for an image of no pixels
 */
export function renderPolygons(found: StarPolygons, width: number, height: number): Int32Array {
  if (!(width > 0 && height > 0))
    throw new SegmentationError("invalid_argument", "expected an image of some pixels");
  const labels = new Int32Array(width * height);
  const { probabilities } = found;
  // Ascending; of equal ones the first stays first, and is written over.
  const order = Int32Array.from(found.polygons.keys()).sort(
    (a, b) => (probabilities[a] as number) - (probabilities[b] as number) || a - b,
  );
  for (const i of order) fillPolygon(found.polygons[i] as Float32Array, i + 1, labels, width, height);
  return labels;
}
