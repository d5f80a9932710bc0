/** The reference cells nearest to one query cell, nearest first, by position codes. */
export interface QueryNeighbors {
  /**
   * Distance of each neighbour; for many queries pass `subarray`s of one array. A distance that is not finite marks
   * an empty slot (an index may return fewer neighbours than asked for): it counts nowhere.
   */
  readonly distances: Float64Array;
  /** Same length: position in the categories, −1 when the reference cell has no label. */
  readonly labelCodes: Int32Array;
}

/** How many neighbours voted. */
export interface VoteCounts {
  /** Neighbours with a finite distance. */
  readonly totalNeighbors: number;
  /** Of these, the ones without a label the strategy knows. */
  readonly totalNeighborsUnrecognized: number;
}

/** All neighbours of one label; distances in the units of the index. */
export interface SummaryMatch {
  readonly cellType: string;
  readonly cellCount: number;
  readonly minDistance: number;
  readonly p25Distance: number;
  readonly medianDistance: number;
  readonly p75Distance: number;
  readonly maxDistance: number;
}

/** Answer of the summary-statistics strategy for one query cell. */
export interface SummaryVote extends VoteCounts {
  readonly matches: readonly SummaryMatch[];
}

/** Answer of the ontology-aware strategy for one query cell, without strings. */
export interface OntologyVote extends VoteCounts {
  /** Positions in the ontology of the terms returned, ascending (the key order of the resource). */
  readonly terms: Int32Array;
  /** Score of each, in [0, 1]. */
  readonly scores: Float64Array;
  /** Sum of the weights of all neighbours, recognised or not. */
  readonly totalWeight: number;
}

/** One scored term, spelled out. */
export interface OntologyMatch {
  readonly score: number;
  readonly cellTypeOntologyTermId: string;
  readonly cellType: string;
}
