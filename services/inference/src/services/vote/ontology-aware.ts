import type { Ontology } from "@cytomesh/ontology";
import { VoteError } from "./errors.ts";
import { percentile, presentNeighbors } from "./neighbors.ts";
import type { OntologyMatch, OntologyVote, QueryNeighbors } from "./types.ts";

/** Parameters of the ontology-aware strategy. */
export interface OntologyAwareOptions {
  /** Terms scoring less are left out; 0 returns every term of the ontology. Range [0, 1]. */
  pruneThreshold: number;
  /** weight = exp(−weightingPrefactor · distance / median distance). Finite, ≥ 0; 0 weighs all neighbours alike. */
  weightingPrefactor: number;
}

/** Position in the ontology of each category (a term id in either spelling), −1 for what it does not know. */
export function termPositions(ontology: Ontology, categories: readonly string[]): Int32Array {
  return Int32Array.from(categories, (id) => ontology.indexOf(id));
}

/**
 * Lets the neighbours of one query vote for their term and all of its ancestors, weighted by distance. A score is the
 * share of the total weight under a term: 1 for the root when every neighbour is recognised, never more for a term
 * than for its ancestors.
 *
 * Neighbours without a term the ontology knows keep their weight in the total and are counted. Where the original
 * answers NaN this gives the limit: at median 0 neighbours at distance 0 weigh 1 and all others 0 (so do distances
 * below 0, which only rounding makes); weights too small for a double are taken relative to the nearest neighbour.
 *
 * @param termOfCode from {@link termPositions}, by label code.
 * @throws VoteError `invalid_parameter`, `shape_mismatch`.
 */
export function ontologyAware(
  neighbors: QueryNeighbors,
  termOfCode: Int32Array,
  ontology: Ontology,
  options: OntologyAwareOptions,
): OntologyVote {
  checkOptions(options);
  const present = presentNeighbors(neighbors);
  const distances = Float64Array.from(present, (i) => Math.max(0, neighbors.distances[i]!));
  const weights = weigh(distances, options.weightingPrefactor);
  const sums = new Float64Array(ontology.termIds.length);
  let totalWeight = 0;
  let unrecognized = 0;
  for (let n = 0; n < present.length; n++) {
    const weight = weights.values[n]!;
    totalWeight += weight;
    const code = neighbors.labelCodes[present[n]!]!;
    const term = code < 0 ? -1 : (termOfCode[code] ?? -1);
    if (term < 0) {
      unrecognized++;
      continue;
    }
    sums[term]! += weight;
    const ancestors = ontology.ancestors(term);
    for (let a = 0; a < ancestors.length; a++) sums[ancestors[a]!]! += weight;
  }
  return {
    ...prune(sums, totalWeight, options.pruneThreshold),
    totalWeight: weights.underflow ? 0 : totalWeight,
    totalNeighbors: present.length,
    totalNeighborsUnrecognized: unrecognized,
  };
}

function checkOptions({ pruneThreshold, weightingPrefactor }: OntologyAwareOptions): void {
  if (!(pruneThreshold >= 0 && pruneThreshold <= 1)) {
    throw new VoteError(
      "invalid_parameter",
      `prune_threshold: expected a number from 0 to 1, found ${pruneThreshold}.`,
    );
  }
  if (!(weightingPrefactor >= 0 && weightingPrefactor < Number.POSITIVE_INFINITY)) {
    throw new VoteError(
      "invalid_parameter",
      `weighting_prefactor: expected a number of 0 or more, found ${weightingPrefactor}.`,
    );
  }
}

/** Weights of the distances (all ≥ 0). `underflow`: they all came out 0 and are given relative to the nearest. */
function weigh(distances: Float64Array, prefactor: number): { values: Float64Array; underflow: boolean } {
  if (distances.length === 0) return { values: new Float64Array(0), underflow: false };
  const sorted = distances.slice().sort();
  const median = percentile(sorted, 0.5);
  if (median === 0)
    return { values: distances.map((d) => (d === 0 || prefactor === 0 ? 1 : 0)), underflow: false };
  const gamma = -prefactor / median;
  // A subnormal median overflows gamma; dividing first keeps 0 · ∞ out.
  const exponent = Number.isFinite(gamma)
    ? (d: number) => gamma * d
    : (d: number) => -prefactor * (d / median);
  const nearest = Math.max(exponent(sorted[0]!), -Number.MAX_VALUE);
  if (Math.exp(nearest) > 0) return { values: distances.map((d) => Math.exp(exponent(d))), underflow: false };
  return {
    values: distances.map((d) => (d === sorted[0] ? 1 : Math.exp(exponent(d) - nearest))),
    underflow: true,
  };
}

function prune(
  sums: Float64Array,
  totalWeight: number,
  threshold: number,
): Pick<OntologyVote, "terms" | "scores"> {
  const terms = new Int32Array(sums.length);
  const scores = new Float64Array(sums.length);
  let kept = 0;
  for (let term = 0; term < sums.length; term++) {
    const score = totalWeight > 0 ? sums[term]! / totalWeight : 0;
    if (threshold > 0 && score < threshold) continue;
    terms[kept] = term;
    scores[kept++] = score;
  }
  return { terms: terms.slice(0, kept), scores: scores.slice(0, kept) };
}

/** The scored terms with their ids and labels, in the order of the resource. */
export function ontologyMatches(
  vote: Pick<OntologyVote, "terms" | "scores">,
  ontology: Ontology,
): OntologyMatch[] {
  return Array.from(vote.terms, (term, i) => ({
    score: vote.scores[i]!,
    cellTypeOntologyTermId: ontology.termIds[term]!,
    cellType: ontology.label(term),
  }));
}
