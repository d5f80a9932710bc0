import type { Prediction } from "../stardist/instances.ts";
import { uniform } from "./fields.ts";

export interface PredictionSpec {
  /** Side of the square image in pixels. */
  readonly size: number;
  readonly grid: number;
  readonly rays: number;
  readonly minRadius: number;
  readonly maxRadius: number;
  /** Relative noise of distances. */
  readonly noise: number;
  readonly seed: number;
}

/** The lowest probability that candidates of a generated prediction should have. */
export const generatedThreshold = 0.2;

/**
 * What a network might say of a field of round nuclei: noisy distances from every cell to the outline of the nearest nucleus. Probabilities above
 * the threshold are all different, as the order of equal ones is not defined in StarDist.
 */
export function generatedPrediction(spec: PredictionSpec): Prediction {
  const { size, grid, rays, minRadius, maxRadius, noise } = spec;
  const random = uniform(spec.seed);
  const rows = size / grid;
  const cells = rows * rows;
  const nuclei = Array.from({ length: Math.floor(size ** 2 / (4 * maxRadius ** 2)) }, () => ({
    y: random() * size,
    x: random() * size,
    radius: minRadius + random() * (maxRadius - minRadius),
  }));
  const probabilities = new Float32Array(cells);
  const distances = new Float32Array(rays * cells);
  const seen = new Set<number>();
  const angles = Array.from({ length: rays }, (_, k) => (2 * Math.PI * k) / rays);
  const [sines, cosines] = [angles.map(Math.sin), angles.map(Math.cos)];
  for (let cell = 0; cell < cells; cell++) {
    const y = Math.floor(cell / rows) * grid;
    const x = (cell % rows) * grid;
    let best = Number.POSITIVE_INFINITY;
    let nearest = nuclei[0] as (typeof nuclei)[number];
    for (const nucleus of nuclei) {
      // Most are far away: a square, with room for rounding, says so sooner than a root.
      const reach = best * nucleus.radius;
      if ((nucleus.y - y) ** 2 + (nucleus.x - x) ** 2 > reach * reach * 1.000001) continue;
      const d = Math.hypot(nucleus.y - y, nucleus.x - x) / nucleus.radius;
      if (d < best) {
        best = d;
        nearest = nucleus;
      }
    }
    let probability = Math.fround(Math.max(0, Math.min(1, 1 - best + 0.2 * (random() - 0.5))));
    while (probability > generatedThreshold && seen.has(probability))
      probability = Math.fround(probability - 1e-7 * (1 + 50 * random()));
    seen.add(probability);
    probabilities[cell] = probability;
    const oy = y - nearest.y;
    const ox = x - nearest.x;
    for (let k = 0; k < rays; k++) {
      const b = oy * (sines[k] as number) + ox * (cosines[k] as number);
      const inside = b * b - oy * oy - ox * ox + nearest.radius ** 2;
      const distance = inside > 0 ? Math.max(0, Math.sqrt(inside) - b) : 0;
      distances[k * cells + cell] = distance * (1 + noise * (random() - 0.5));
    }
  }
  return { rows, columns: rows, rays, grid: [grid, grid], probabilities, distances };
}

/** Distances with the rays of a cell side by side, as numpy has them. */
export function cellsFirst({ distances, rays, rows, columns }: Prediction): Float32Array {
  const cells = rows * columns;
  const result = new Float32Array(distances.length);
  for (let cell = 0; cell < cells; cell++)
    for (let k = 0; k < rays; k++) result[cell * rays + k] = distances[k * cells + cell] as number;
  return result;
}
