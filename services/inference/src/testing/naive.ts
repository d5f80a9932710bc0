import type { PcaModel } from "@cytomesh/kernels";
import { type Cell, geneIds, lineOf, schemaIds } from "./world.ts";

/** The whole way in plain loops over float64: what the service must agree with. */

/** Embedding of one cell: normalise → log1p → centre → project. */
export function embedNaive(cell: Cell, pca: PcaModel & { selected: Int32Array }): number[] {
  const centred = Array.from(pca.selected, (column, position) => {
    const count = cell.counts[geneIds.indexOf(schemaIds[column]!)]!;
    return Math.log1p((10_000 * count) / (cell.total + 1e-6)) - pca.mean[position]!;
  });
  return Array.from({ length: pca.nComponents }, (_, component) =>
    centred.reduce((sum, value, position) => sum + value * pca.components[component * pca.p + position]!, 0),
  );
}

/** A neighbour with what it votes for. */
export interface NaiveNeighbor {
  readonly cell: Cell;
  readonly distance: number;
}

/** The k nearest by 1 − cos, ties by id. */
export function nearestNaive(
  query: number[],
  reference: readonly { cell: Cell; vector: number[] }[],
  k: number,
): NaiveNeighbor[] {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  return reference
    .map(({ cell, vector }) => ({
      cell,
      distance: 1 - dot(query, vector) / Math.sqrt(dot(query, query) * dot(vector, vector)),
    }))
    .sort((a, b) => a.distance - b.distance || a.cell.id - b.cell.id)
    .slice(0, k);
}

const quantile = (sorted: readonly number[], q: number): number => {
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (at - Math.floor(at)) * ((sorted[Math.floor(at) + 1] ?? low) - low);
};

/** Groups by label: count, min, quartiles, max. */
export function summaryNaive(neighbors: readonly NaiveNeighbor[]) {
  const groups = new Map<string, number[]>();
  for (const { cell, distance } of neighbors)
    groups.set(cell.type, [...(groups.get(cell.type) ?? []), distance]);
  return [...groups]
    .sort(([, a], [, b]) => b.length - a.length)
    .map(([cellType, distances]) => {
      const sorted = [...distances].sort((a, b) => a - b);
      return {
        cellType,
        numbers: [0, 0.25, 0.5, 0.75, 1].map((q) => quantile(sorted, q)),
        count: sorted.length,
      };
    });
}

/** Score of every term. */
export function ontologyNaive(neighbors: readonly NaiveNeighbor[], prefactor: number) {
  const median = quantile(
    neighbors.map((one) => one.distance).sort((a, b) => a - b),
    0.5,
  );
  const scores = new Map<string, number>();
  let total = 0;
  let unrecognized = 0;
  for (const { cell, distance } of neighbors) {
    const weight = Math.exp((-prefactor * distance) / median);
    total += weight;
    if (cell.term === "unknown") unrecognized += 1;
    else for (const term of lineOf(cell.term)) scores.set(term, (scores.get(term) ?? 0) + weight);
  }
  for (const [term, score] of scores) scores.set(term, score / total);
  return { scores, total, unrecognized };
}
