import { VoteError } from "./errors.ts";
import type { QueryNeighbors } from "./types.ts";

/** Positions of the neighbours that are there: those with a finite distance, in order. */
export function presentNeighbors({ distances, labelCodes }: QueryNeighbors): Int32Array {
  if (distances.length !== labelCodes.length) {
    throw new VoteError(
      "shape_mismatch",
      `A query has ${distances.length} neighbour distances but ${labelCodes.length} label codes.`,
    );
  }
  const present = new Int32Array(distances.length);
  let count = 0;
  for (let i = 0; i < distances.length; i++) if (Number.isFinite(distances[i])) present[count++] = i;
  return present.subarray(0, count);
}

/**
 * Percentile of ascending values (at least one), linear interpolation between closest ranks: the default of numpy,
 * with its rounding (interpolate from the nearer end).
 */
export function percentile(sorted: Float64Array, fraction: number): number {
  const rank = fraction * (sorted.length - 1);
  const low = Math.floor(rank);
  const t = rank - low;
  const a = sorted[low]!;
  if (t === 0) return a;
  const b = sorted[low + 1]!;
  const step = b - a;
  // Only values near the ends of the double range overflow here.
  if (!Number.isFinite(step)) return a * (1 - t) + b * t;
  return t < 0.5 ? a + step * t : b - step * (1 - t);
}
