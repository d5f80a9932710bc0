import type { CellAnnotation, CellNeighbors } from "@cytomesh/contracts/inference/v1/inference_service";
import { EdgeError } from "../../edge/errors.ts";

/** One cell of the summary-statistics answer, as CAS clients parse it. */
export function summaryCell(cell: CellAnnotation) {
  return {
    query_cell_id: cell.queryCellId,
    matches: cell.summaryMatches.map((match) => ({
      cell_type: match.cellType,
      cell_count: match.cellCount,
      min_distance: match.minDistance,
      p25_distance: match.p25Distance,
      median_distance: match.medianDistance,
      p75_distance: match.p75Distance,
      max_distance: match.maxDistance,
    })),
  };
}

/** One cell of the ontology-aware answer. */
export function ontologyCell(cell: CellAnnotation) {
  return {
    query_cell_id: cell.queryCellId,
    matches: cell.ontologyMatches.map((match) => ({
      score: match.score,
      cell_type_ontology_term_id: match.cellTypeOntologyTermId,
      cell_type: match.cellType,
    })),
    total_weight: cell.totalWeight,
    total_neighbors: cell.totalNeighbors,
    total_neighbors_unrecognized: cell.totalNeighborsUnrecognized,
  };
}

/** One cell of the search answer. Clients read ids as double floats. */
export function neighborsCell(cell: CellNeighbors) {
  return {
    query_cell_id: cell.queryCellId,
    neighbors: cell.cellIds.map((id, i) => {
      const index = Number(id);
      if (!Number.isSafeInteger(index))
        throw new EdgeError("bad-answer", `the reference cell id ${id} does not fit a double float`);
      return { cas_cell_index: index, distance: cell.distances[i] ?? Number.NaN };
    }),
  };
}
