import { SegmentationError } from "../errors.ts";
import { pause } from "../image.ts";
import { arena, grow, instantiate } from "../kernel.ts";
import type { SegmentContext } from "../types.ts";
import { clipperIntersectionArea } from "./clipper.ts";

/** Star-convex polygons that a network proposes. */
export interface Candidates {
  /** Distances from the centre to the outline per candidate. */
  readonly rays: number;
  /** Centres y0, x0, y1, x1, … in pixels of the image, whole numbers. */
  readonly points: Int32Array;
  readonly probabilities: Float32Array;
  /** One row of `rays` per candidate. */
  readonly distances: Float32Array;
}

/** What the suppression took, for benches. */
export interface NmsStatistics {
  /** Pairs whose intersection was computed, and those of them that were left to Clipper. */
  clipped: number;
  asked: number;
}

interface NmsKernel {
  heapBase(): number;
  scratchBytes(rays: number): number;
  configure(
    rays: number,
    x: number,
    y: number,
    area: number,
    box: number,
    facts: number,
    scratch: number,
  ): void;
  prepare(count: number, points: number, distances: number, sines: number, cosines: number): void;
  suppress(
    from: number,
    count: number,
    budget: number,
    threshold: number,
    maxRadius: number,
    radii: number,
    points: number,
    suppressed: number,
    heads: number,
    links: number,
    cellPx: number,
    columns: number,
    rows: number,
  ): number;
  clipped(): number;
  asked(): number;
}

/** Side of the square cells that candidates are sorted into. */
const cellPx = 16;

/** Pairs looked at between two pauses; some 50 ms. */
const pairsPerTurn = 1_000_000;

/** No nucleus is as large; what a network says beyond it is noise, and would overflow coordinates. */
const maxDistancePx = 100_000;

/** wasm32 addresses 4 GiB; this many candidates of 32 rays fit. */
const maxKernelBytes = 2 ** 32 - 2 ** 20;

/**
 * Non-maximum suppression of StarDist 0.9: candidates in descending order of probability, each that stays removes those after it that overlap it
 * by more than `threshold` of the smaller area. The same survivors as the reference, which clips with Clipper 6 on vertices truncated to
 * whole pixels. Of equal probabilities the later candidate comes first, as a reversed ascending sort gives it.
 *
 * @returns positions of the survivors in `candidates`, most probable first.
 * @throws SegmentationError `runtime` for distances that are not finite, `too_large`, `cancelled`
 */
export async function suppressNonMaxima(
  candidates: Candidates,
  threshold: number,
  context: SegmentContext = {},
  statistics?: NmsStatistics,
): Promise<Int32Array> {
  const order = byProbability(candidates.probabilities);
  const count = order.length;
  if (count === 0) return order;
  const { rays } = candidates;
  const radii = outerRadii(candidates, order);
  const maxRadius = radii.reduce((max, radius) => Math.max(max, radius), 0);
  const { columns, rows, heads, links } = cells(candidates.points, order);
  const kernel = instantiate<NmsKernel>("nms", {
    clipperArea: (a = 0, b = 0): number => clipperIntersectionArea(pathOf(a), pathOf(b)),
  });
  const { memory } = kernel;
  const { take, end } = arena(kernel.heapBase());
  const places = {
    points: take(count * 8),
    distances: take(count * rays * 4),
    sines: take(rays * 4),
    cosines: take(rays * 4),
    x: take(count * rays * 4),
    y: take(count * rays * 4),
    area: take(count * 4),
    box: take(count * 16),
    facts: take(count * 48),
    radii: take(count * 4),
    suppressed: take(count),
    heads: take(heads.length * 4),
    links: take(count * 4),
    scratch: take(kernel.scratchBytes(rays)),
  };
  if (end() > maxKernelBytes)
    throw new SegmentationError(
      "too_large",
      `${count} candidates are more than can be compared; raise the probability threshold or use smaller blocks`,
    );
  grow(memory, end());
  const pathOf = (polygon: number): { X: number; Y: number }[] => {
    const xs = new Int32Array(memory.buffer, places.x + polygon * rays * 4, rays);
    const ys = new Int32Array(memory.buffer, places.y + polygon * rays * 4, rays);
    return Array.from(xs, (X, k) => ({ X, Y: ys[k] as number }));
  };
  const points = new Float32Array(memory.buffer, places.points, count * 2);
  const distances = new Float32Array(memory.buffer, places.distances, count * rays);
  for (let i = 0; i < count; i++) {
    const from = order[i] as number;
    points[2 * i] = candidates.points[2 * from] as number;
    points[2 * i + 1] = candidates.points[2 * from + 1] as number;
    distances.set(candidates.distances.subarray(from * rays, (from + 1) * rays), i * rays);
  }
  // float32 angles and functions, as in the reference: they decide where truncation falls.
  const step = Math.fround((2 * Math.PI) / rays);
  const angle = (k: number) => Math.fround(step * k);
  new Float32Array(memory.buffer, places.sines, rays).set(
    Float32Array.from({ length: rays }, (_, k) => Math.sin(angle(k))),
  );
  new Float32Array(memory.buffer, places.cosines, rays).set(
    Float32Array.from({ length: rays }, (_, k) => Math.cos(angle(k))),
  );
  new Float32Array(memory.buffer, places.radii, count).set(radii);
  new Int32Array(memory.buffer, places.heads, heads.length).set(heads);
  new Int32Array(memory.buffer, places.links, count).set(links);
  kernel.configure(rays, places.x, places.y, places.area, places.box, places.facts, places.scratch);
  kernel.prepare(count, places.points, places.distances, places.sines, places.cosines);
  for (let next = 0; next < count; ) {
    await pause(context);
    next = kernel.suppress(
      next,
      count,
      pairsPerTurn,
      threshold,
      maxRadius,
      places.radii,
      places.points,
      places.suppressed,
      places.heads,
      places.links,
      cellPx,
      columns,
      rows,
    );
  }
  if (statistics !== undefined) {
    statistics.clipped += kernel.clipped();
    statistics.asked += kernel.asked();
  }
  const suppressed = new Uint8Array(memory.buffer, places.suppressed, count);
  return order.filter((_, i) => suppressed[i] === 0);
}

/** Positions in descending order of probability; of equal ones the last first. */
function byProbability(probabilities: Float32Array): Int32Array {
  const order = Int32Array.from(probabilities.keys());
  return order.sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number) || b - a);
}

function outerRadii({ distances, rays }: Candidates, order: Int32Array): Float32Array {
  const radii = new Float32Array(order.length);
  for (let i = 0; i < order.length; i++) {
    const base = (order[i] as number) * rays;
    let radius = 0;
    for (let k = 0; k < rays; k++) {
      const distance = distances[base + k] as number;
      if (!(distance <= maxDistancePx))
        throw new SegmentationError(
          "runtime",
          `the network proposes an outline at a distance of ${distance} px`,
        );
      if (distance > radius) radius = distance;
    }
    radii[i] = radius;
  }
  return radii;
}

/** Candidates of each cell as a linked list, most probable first. */
function cells(points: Int32Array, order: Int32Array) {
  let maxY = 0;
  let maxX = 0;
  for (let i = 0; i < points.length; i += 2) {
    maxY = Math.max(maxY, points[i] as number);
    maxX = Math.max(maxX, points[i + 1] as number);
  }
  const rows = Math.floor(maxY / cellPx) + 1;
  const columns = Math.floor(maxX / cellPx) + 1;
  const heads = new Int32Array(rows * columns).fill(-1);
  const links = new Int32Array(order.length);
  for (let i = order.length - 1; i >= 0; i--) {
    const at = 2 * (order[i] as number);
    const cell =
      Math.floor((points[at] as number) / cellPx) * columns + Math.floor((points[at + 1] as number) / cellPx);
    links[i] = heads[cell] as number;
    heads[cell] = i;
  }
  return { rows, columns, heads, links };
}
