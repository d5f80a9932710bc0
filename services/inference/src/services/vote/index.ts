export type { VoteErrorTag } from "./errors.ts";
export { VoteError } from "./errors.ts";
export type { OntologyAwareOptions } from "./ontology-aware.ts";
export { ontologyAware, ontologyMatches, termPositions } from "./ontology-aware.ts";
export { summaryStatistics } from "./summary-statistics.ts";
export type {
  OntologyMatch,
  OntologyVote,
  QueryNeighbors,
  SummaryMatch,
  SummaryVote,
  VoteCounts,
} from "./types.ts";
