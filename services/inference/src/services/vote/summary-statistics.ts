import { percentile, presentNeighbors } from "./neighbors.ts";
import type { QueryNeighbors, SummaryMatch, SummaryVote } from "./types.ts";

/**
 * Groups the neighbours of one query by label and describes the distances of each group. Groups come by size, largest
 * first; groups of one size in the order in which their label first appears. Percentiles are linear.
 *
 * Where the original fails on a neighbour without a label, this counts it as unrecognised and leaves it out.
 *
 * @param categories distinct labels; an empty one counts as no label.
 */
export function summaryStatistics(neighbors: QueryNeighbors, categories: readonly string[]): SummaryVote {
  const present = presentNeighbors(neighbors);
  const groupOfCode = new Map<number, number[]>();
  let unrecognized = 0;
  for (const i of present) {
    const code = neighbors.labelCodes[i]!;
    const group = groupOfCode.get(code);
    if (group !== undefined) {
      group.push(neighbors.distances[i]!);
    } else if ((categories[code] ?? "") === "") {
      unrecognized++;
    } else {
      groupOfCode.set(code, [neighbors.distances[i]!]);
    }
  }
  const matches = [...groupOfCode]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([code, distances]) => describe(categories[code]!, Float64Array.from(distances).sort()));
  return { matches, totalNeighbors: present.length, totalNeighborsUnrecognized: unrecognized };
}

function describe(cellType: string, sorted: Float64Array): SummaryMatch {
  return {
    cellType,
    cellCount: sorted.length,
    minDistance: sorted[0]!,
    p25Distance: percentile(sorted, 0.25),
    medianDistance: percentile(sorted, 0.5),
    p75Distance: percentile(sorted, 0.75),
    maxDistance: sorted[sorted.length - 1]!,
  };
}
