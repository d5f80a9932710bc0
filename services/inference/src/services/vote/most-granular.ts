import type { DepthMeasure, Ontology } from "@cytomesh/ontology";
import { VoteError } from "./errors.ts";
import type { OntologyMatch, OntologyVote } from "./types.ts";

/** Parameters of {@link mostGranularCalls}. */
export interface MostGranularOptions {
  /** Least score a called term may have; default 0.2. */
  minScore?: number;
  /** Calls per cell; default 3. */
  topK?: number;
  /** Path from the root that a depth counts; default "shortest". */
  depth?: DepthMeasure;
  /** Term that fills up short lists with score 1; default CL:0000000. */
  root?: string;
}

/** One call of {@link mostGranularCalls}. */
export interface GranularCall extends OntologyMatch {
  /** Edges from the root. */
  readonly depth: number;
}

/**
 * The `topK` most specific terms that score at least `minScore`: deepest first, then best score, then the order of the
 * resource; always `topK` long, filled up with the root at score 1 and depth 0. Terms the root does not reach are
 * passed over (the original fails on them).
 *
 * @throws VoteError `invalid_parameter`.
 */
export function mostGranularCalls(
  vote: Pick<OntologyVote, "terms" | "scores">,
  ontology: Ontology,
  options: MostGranularOptions = {},
): GranularCall[] {
  const { minScore = 0.2, topK = 3, depth: measure = "shortest", root = "CL:0000000" } = options;
  if (!Number.isInteger(topK) || topK < 1 || topK > 1000) {
    throw new VoteError("invalid_parameter", `top_k: expected a whole number from 1 to 1000, found ${topK}.`);
  }
  if (!Number.isFinite(minScore)) {
    throw new VoteError("invalid_parameter", `min_score: expected a number, found ${minScore}.`);
  }
  const kept: { term: number; score: number; depth: number }[] = [];
  vote.terms.forEach((term, i) => {
    const depth = ontology.depth(term, measure);
    if (vote.scores[i]! >= minScore && depth >= 0) kept.push({ term, score: vote.scores[i]!, depth });
  });
  kept.sort((a, b) => b.depth - a.depth || b.score - a.score);
  const calls = kept.slice(0, topK).map(({ term, score, depth }) => ({
    score,
    cellTypeOntologyTermId: ontology.termIds[term]!,
    cellType: ontology.label(term),
    depth,
  }));
  const rootTerm = ontology.indexOf(root);
  const filler = {
    score: 1,
    cellTypeOntologyTermId: rootTerm < 0 ? root : ontology.termIds[rootTerm]!,
    cellType: rootTerm < 0 ? "" : ontology.label(rootTerm),
    depth: 0,
  };
  while (calls.length < topK) calls.push(filler);
  return calls;
}
