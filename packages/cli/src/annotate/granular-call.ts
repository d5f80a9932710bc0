import type { CellAnnotation } from "@cytomesh/contracts/inference/v1/inference_service";
import { compileOntology, type OntologyResource } from "@cytomesh/ontology";
import type { Call } from "./grpc.ts";

/** Least score of a term that is called; the default of the annotation client that users know. */
const minScore = 0.2;

/**
 * The most granular call: of the terms that score enough, the deepest, and of those the best. Depth is the shortest path from the root.
 */
export function granularCaller(resource: OntologyResource): (cell: CellAnnotation) => Call {
  const ontology = compileOntology(resource);
  return (cell) => {
    let best: (Call & { depth: number }) | undefined;
    for (const match of cell.ontologyMatches) {
      if (match.score < minScore) continue;
      const term = ontology.indexOf(match.cellTypeOntologyTermId);
      // The file given here may be another release than the one the mesh votes over.
      const depth = term < 0 ? -1 : ontology.depth(term, "shortest");
      // Nor has every term a way to the root.
      if (depth < 0) continue;
      if (best === undefined || depth > best.depth || (depth === best.depth && match.score > best.score))
        best = { depth, label: match.cellType, termId: match.cellTypeOntologyTermId, score: match.score };
    }
    return best ?? { label: "", termId: "", score: 0 };
  };
}
