import { checkInteger, checkVectors } from "./checks.ts";
import { distanceTo, NearestHeap, prepareQuery, type Query, type VectorTable } from "./distance.ts";
import { throwIfCancelled, VectorIndexError } from "./errors.ts";
import type { ExactSearcher } from "./exact.ts";
import type { Graph } from "./graph.ts";
import { matchingPositions } from "./metadata.ts";
import type { MetadataColumn, SearchOptions, SearchResult } from "./types.ts";

/** Queries the graph answers between two looks at the abort signal. */
const GRAPH_BATCH = 256;
const MIN_EXPANSION = 64;
/** Candidates beyond k the graph is asked for, so that re-ranking can repair its rounding at the edge. */
const GRAPH_MARGIN = 16;
/** Beyond this many candidates per query a graph search costs more than an exact one. */
const MAX_GRAPH_FETCH = 4096;
/** A filter is expected to keep its share of the candidates, give or take. */
const OVERFETCH = 1.5;

export interface SearchParts {
  readonly table: VectorTable;
  readonly columns: readonly MetadataColumn[];
  readonly exact: ExactSearcher;
  readonly graph: Graph | null;
  /** A filter that keeps at most this many vectors is answered exactly. */
  readonly exactBelow: number;
}

type Search = (queries: Float32Array, nq: number, k: number, options: SearchOptions) => Promise<SearchResult>;

/**
 * Search over exact and graph indexes alike. The graph only proposes: distances come from the stored vectors in float64, and a query it
 * finds too few neighbours for is answered exactly, so `counts` is always min(k, vectors that match).
 */
export function createSearch(parts: SearchParts): Search {
  return async (input, nq, k, options) => {
    const { table } = parts;
    checkInteger("nq", nq, 0, 2 ** 31 - 1);
    checkInteger("k", k, 1, Number.MAX_SAFE_INTEGER);
    if (input.length !== nq * table.dimension) {
      throw new VectorIndexError(
        "invalid_argument",
        `expected ${nq} queries of ${table.dimension} components, found ${input.length} components`,
      );
    }
    checkVectors(input, nq, table.dimension, table.metric, "query");
    const expansion = options.expansionSearch ?? Math.max(MIN_EXPANSION, 2 * Math.min(k, table.size));
    checkInteger("expansionSearch", expansion, 1, Number.MAX_SAFE_INTEGER);
    throwIfCancelled(options.signal, "search");
    const subset = matchingPositions(parts.columns, options.filter ?? [], table.size);
    const width = Math.min(k, table.size);
    const queries = Array.from({ length: nq }, (_, i) =>
      prepareQuery(table.metric, input.subarray(i * table.dimension, (i + 1) * table.dimension)),
    );
    const heaps = await nearest(parts, queries, width, subset, expansion, options.signal);
    return collect(heaps, width, table.ids);
  };
}

async function nearest(
  parts: SearchParts,
  queries: readonly Query[],
  k: number,
  subset: Int32Array | null,
  expansion: number,
  signal: AbortSignal | undefined,
): Promise<NearestHeap[]> {
  const { table, graph, exact } = parts;
  const matching = subset?.length ?? table.size;
  const share = table.size / matching;
  const fetch = Math.ceil(Math.max(k + GRAPH_MARGIN, expansion) * (subset ? share * OVERFETCH : 1));
  const byGraph =
    graph !== null &&
    4 * fetch < table.size &&
    fetch <= MAX_GRAPH_FETCH &&
    !(subset && matching <= parts.exactBelow);
  if (!byGraph) return exact.search(queries, k, subset, signal);
  const keep = subset === null ? null : membership(subset, table.size);
  const heaps: NearestHeap[] = [];
  const unanswered: number[] = [];
  for (let first = 0; first < queries.length; first += GRAPH_BATCH) {
    throwIfCancelled(signal, "search");
    const batch = queries.slice(first, first + GRAPH_BATCH);
    graph.candidates(batch, fetch).forEach((candidates, i) => {
      const heap = rerank(table, batch[i]!, k, candidates, keep);
      // A query of zeros has no direction for the graph to follow.
      if (heap.size < Math.min(k, matching) || batch[i]!.length === 0) unanswered.push(first + i);
      heaps.push(heap);
    });
  }
  const again = await exact.search(
    unanswered.map((i) => queries[i]!),
    k,
    subset,
    signal,
  );
  unanswered.forEach((i, at) => {
    heaps[i] = again[at]!;
  });
  return heaps;
}

function rerank(
  table: VectorTable,
  query: Query,
  k: number,
  candidates: Int32Array,
  keep: Uint8Array | null,
): NearestHeap {
  const heap = new NearestHeap(k, table.ids);
  for (const position of candidates) {
    if (keep === null || keep[position] === 1) heap.push(position, distanceTo(table, position, query));
  }
  return heap;
}

function membership(subset: Int32Array, size: number): Uint8Array {
  const keep = new Uint8Array(size);
  for (const position of subset) keep[position] = 1;
  return keep;
}

function collect(heaps: readonly NearestHeap[], k: number, ids: Float64Array): SearchResult {
  const result = {
    k,
    ids: new Float64Array(heaps.length * k).fill(-1),
    positions: new Int32Array(heaps.length * k).fill(-1),
    distances: new Float64Array(heaps.length * k),
    counts: Int32Array.from(heaps, (heap) => heap.size),
  };
  heaps.forEach((heap, query) => {
    const { positions, distances } = heap.sorted();
    positions.forEach((position, i) => {
      result.positions[query * k + i] = position;
      result.ids[query * k + i] = ids[position]!;
      result.distances[query * k + i] = distances[i]!;
    });
  });
  return result;
}
